"""Docker Compose without Docker: the file by the specification, the services as processes."""

from __future__ import annotations

import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest
from clickstream_bench.go_programs import go_program
from clickstream_contract.topics import TOPICS
from confluent_kafka.admin import AdminClient
from pipeline import SIMULATION, wait_until

from compose import FILE, Composed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
_LOGINS = ("owner", "writer", "reader", "verifier", "student", "grafana")


def _read_by_compose(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "compose.yaml"
    file.write_text(text, encoding="utf-8")
    command = [str(go_program("compose-spec")), str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)


def test_the_specification_accepts_the_file(tmp_path: Path) -> None:
    """Docker Compose's own reader takes it: schema, references, variables."""
    done = _read_by_compose(tmp_path, FILE.read_text("utf-8"))

    assert done.returncode == 0, done.stderr
    assert "ghcr.io/clickstream-dev/streaming" in done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("    entrypoint:", "    entrypiont:", "entrypiont"),
        ("condition: service_healthy", "condition: service_helthy", "condition"),
    ],
    ids=["key", "value"],
)
def test_the_specification_refuses_mistakes(
    tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    """A misspelt key and a wrong value are named."""
    done = _read_by_compose(tmp_path, FILE.read_text("utf-8").replace(right, wrong, 1))

    assert done.returncode != 0
    assert says in done.stderr


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Composed]:
    """The services, with a small simulation."""
    simulation = tmp_path / "small.yaml"
    simulation.write_text(SIMULATION, encoding="utf-8")
    made = Composed(tmp_path / "compose", {"CLICKSTREAM_SIMULATION": str(simulation)})
    yield made
    made.stop()


def _passwords(composed: Composed) -> dict[str, str]:
    files = {name: composed.volume(f"login-{name}") / "password" for name in _LOGINS}
    return {name: file.read_text("utf-8") for name, file in files.items()}


@pytest.mark.services
def test_services_work_together(composed: Composed) -> None:
    """In the order of compose.yaml, with its commands and environment, nothing is lost."""
    done = composed.run("prepare")
    assert done.returncode == 0, done.stderr
    drawn = _passwords(composed)
    assert len(set(drawn.values())) == len(_LOGINS)
    assert all(len(password) == 32 for password in drawn.values())
    assert composed.run("prepare").returncode == 0
    assert _passwords(composed) == drawn

    composed.start_foreign_services()
    for name in ("topics", "topics", "migrations"):
        done = composed.run(name)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    admin = AdminClient({"bootstrap.servers": composed.kafka.bootstrap_servers})
    made = admin.list_topics(timeout=20).topics
    assert {one.name: len(made[one.name].partitions) for one in TOPICS} == {
        one.name: one.partitions for one in TOPICS
    }

    composed.start("streaming")
    composed.wait_healthy("streaming")
    console = composed.start("console")
    url = f"http://127.0.0.1:{composed.port('console', 'METRICS_PORT')}/healthz"
    console.wait_until(lambda: _answers(url), 60)
    generator = composed.start("generator")
    assert generator.process.wait(120) == 0, generator.log_file.read_text("utf-8")

    # No verification finds a difference, not even while the stream still reads.
    wait_until(lambda: "events_stored 3000" in _verified(composed), "all events are stored")


def _verified(composed: Composed) -> str:
    done = composed.run("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own port
            return bool(answer.status == 200)
    except OSError:
        return False
