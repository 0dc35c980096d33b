# The commands of developers and users. `make help` lists the targets.

UV := .tools/bin/uv
RUN := .venv/bin
# Always let Python cache compiled files: tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE
# Each process computes in one thread, because processes share the cores.
export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help demo notebook analysis generate generate-check site test check slow mutants proof verdicts pipelines faults lint dist image bench screenshots e2e cluster kind clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-15s %s\n", $$1, $$2}'

demo: .venv/ready ## run a shop for a minute, verify every table, print what it sold
	$(RUN)/clickstream up k8s/simulations/storefront.yaml --for 60s --rate 2000

notebook: .venv/ready ## open the notebook on the tables of the last run
	$(UV) sync --quiet --frozen --all-packages --group notebook
	$(RUN)/jupyter lab notebooks/clickstream_analysis.ipynb

analysis: .venv/ready ## run the notebook's shop, then the notebook; write its figures
	$(RUN)/clickstream up k8s/simulations/analysis.yaml
	$(RUN)/python notebooks/execute.py clickstream_analysis

# The last two need a database.
generate: .venv/ready ## write every file that is derived from the code
	PYTHONPATH=releasing $(RUN)/python derived/generate.py
	$(RUN)/pytest -q tests/integration/test_tables_page.py tests/integration/test_proof.py --update-golden

generate-check: .venv/ready ## check that every derived file is current
	PYTHONPATH=releasing $(RUN)/python derived/generate.py --check

site: .venv/ready ## build the documentation as a site, strictly, into site/
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --strict

# `make test check` runs no test twice; the coverage includes both.
ifneq ($(filter check,$(MAKECMDGOALS)),)
COVERAGE := 1
endif

# Four tests at a time on two cores: most wait for a service. Meanwhile the browser is installed.
test: .venv/ready ## run tests of every kind, on the real services; no cluster
	$(if $(COVERAGE),$(RUN)/coverage erase)
	PYTHONPATH=tests/support $(RUN)/python tests/support/browser.py & \
	  $(RUN)/$(if $(COVERAGE),coverage run -m )pytest -n 4 -m "not slow"
	@echo "LEFT OUT: the tests marked slow; make check runs everything."

E2E := make e2e
check: .venv/ready ## run everything that must pass: lint, all tests, benches, a cluster's run
	$(RUN)/python tests/check.py --e2e "$(E2E)" $(if $(filter test,$(MAKECMDGOALS)),--is-tested)

slow: .venv/ready ## run the tests that make test leaves out, except long faults and the cluster's
	$(RUN)/python -m clickstream_bench.go_programs
	$(RUN)/pytest -n 3 -m slow tests/integration tests/rules tests/unit
	$(RUN)/pytest -m slow tests/faults/test_faults.py -k "is_killed or future_event or replayed"

mutants: .venv/ready ## plant one-line faults in every core; print how many its tests notice
	$(UV) sync --quiet --frozen --all-packages --group mutation
	PYTHONPATH=tests/support $(RUN)/python tests/support/mutation.py

proof: .venv/ready ## falsify every table and column; print how many falsehoods verify finds
	$(RUN)/pytest tests/integration/test_proof.py --capture=no

verdicts: .venv/ready ## plant defects into a result; print how many the judge finds
	$(RUN)/pytest tests/unit/judge -k planted_defects --capture=no

pipelines: .venv/ready ## kill example pipelines under load, and judge them; PIPELINES="NAME --kills 3" for one
	$(RUN)/python examples/pipelines/trials.py $(PIPELINES)

faults: .venv/ready ## play every fault scenario
	$(RUN)/pytest tests/faults

lint: .venv/ready generate-check ## check style, types, imports, derived files, spelling and wording
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python releasing/licences.py
	$(RUN)/codespell
	$(RUN)/python releasing/wording.py

dist: .venv/ready ## build wheels, charts and bills of materials into dist/; RELEASE=X.Y.Z for a tag
	$(RUN)/python releasing/distribution.py dist --release "$(RELEASE)"

# The release workflow runs this with FOLDER, REGISTRY and RELEASE.
image: ## build one image with its bill of materials and provenance, and push it
	docker buildx build --push --sbom=true --provenance=mode=max --metadata-file image.json \
	  --file "$(FOLDER)/Dockerfile" --tag "$(REGISTRY)/$(notdir $(FOLDER)):$(RELEASE)" .

bench: .venv/ready ## measure speed and pacing on this machine
	$(RUN)/clickstream bench generator
	$(RUN)/clickstream bench pacing
	$(RUN)/clickstream bench streaming
	$(RUN)/clickstream bench console
	$(RUN)/clickstream bench scale

screenshots: .venv/ready ## take the documentation's pictures of the console
	PYTHONPATH=tests/support $(RUN)/python apps/console/screenshots.py

e2e: .venv/ready ## run against the cluster that KUBECONFIG names
	@if test -z "$$KUBECONFIG"; then \
	  echo "NOT RUN: make e2e needs a cluster, and KUBECONFIG names none." >&2; \
	else $(RUN)/pytest tests/e2e --capture=no; fi

# The image of kind 0.31.0 for this version of Kubernetes: make cluster NODE_IMAGE=...
NODE_IMAGE ?= docker.io/kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f
REGISTRY_IMAGE ?= docker.io/library/registry:3.0.0
REGISTRY := clickstream-registry
HOSTS := /etc/containerd/certs.d/localhost:5001

cluster: ## make a cluster of kind's, with a registry at localhost:5001 that its node pulls from
	kind get clusters | grep -qx clickstream || kind create cluster --config kind-config.yaml --image $(NODE_IMAGE)
	docker inspect $(REGISTRY) > /dev/null 2>&1 || docker run --detach --restart always --network kind \
	  --publish 127.0.0.1:5001:5000 --name $(REGISTRY) $(REGISTRY_IMAGE)
	echo '[host."http://$(REGISTRY):5000"]' | docker exec --interactive clickstream-control-plane \
	  sh -c 'mkdir -p $(HOSTS) && cat > $(HOSTS)/hosts.toml'
	kubectl --context kind-clickstream apply -f k8s/local-registry.yaml

# The default version of the chart's images.
VERSION = $(shell sed -n 's/^appVersion: "\(.*\)"/\1/p' helm/clickstream/Chart.yaml)
IMAGES := operator apps/console apps/generator apps/migrations apps/streaming

kind: cluster ## bring everything up on a cluster of kind's, without Tilt
	set -e; for folder in $(IMAGES); do \
	  image=ghcr.io/clickstream-dev/$$(basename $$folder):$(VERSION); \
	  docker build --tag $$image --file $$folder/Dockerfile .; \
	  kind load docker-image --name clickstream $$image; done
	kubectl --context kind-clickstream apply -f k8s/namespace.yaml
	helm dependency update helm/clickstream-operators
	helm --kube-context kind-clickstream upgrade --install clickstream-operators helm/clickstream-operators \
	  --namespace clickstream-operators --create-namespace --wait --timeout 15m
	helm --kube-context kind-clickstream upgrade --install clickstream helm/clickstream \
	  --namespace clickstream --values helm/clickstream/values-dev.yaml

clean: ## remove the environment, caches and the state of the last run
	-test ! -x $(RUN)/clickstream || $(RUN)/clickstream down
	rm -rf dist site .venv .tools .clickstream .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

.tools/bin/uv: requirements-uv.txt
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

.venv/ready: $(UV) uv.lock pyproject.toml
	$(UV) sync --quiet --frozen --all-packages
	@touch $@
