# Everything a developer or a user runs. `make help` lists the targets.

UV_VERSION := 0.13.9
UV := .tools/bin/uv
RUN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench e2e clean

help: ## list the targets
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-8s %s\n", $$1, $$2}'

demo: .venv/ready ## run a shop for a minute, verify every table, print what it sold
	$(RUN)/clickstream up k8s/simulations/storefront.yaml --for 60s --rate 2000

test: .venv/ready ## run all tests that need no cluster
	$(RUN)/pytest

lint: .venv/ready ## check style, types and the direction of imports
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: .venv/ready ## measure speed and pacing on this machine
	$(RUN)/clickstream bench generator
	$(RUN)/clickstream bench pacing
	$(RUN)/clickstream bench streaming

e2e: .venv/ready ## run against the cluster that KUBECONFIG names
	@echo "NOT RUN: there is nothing to install on a cluster yet, so there is nothing to prove there." >&2

clean: ## remove the environment, caches and the state of the last run
	-test ! -x $(RUN)/clickstream || $(RUN)/clickstream down
	rm -rf .venv .tools .clickstream .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/ready: $(UV) uv.lock pyproject.toml
	$(UV) sync --quiet --frozen --all-packages
	@touch $@
