"""First connections: each process retries one that is refused, as a new pod's may be.

Where network policies are kept, a new pod's policy can reach its node a second after the pod
starts. Until then each connection is refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_local.ports import free_port
from clickstream_local.postgres import DATABASE, OWNER, VERIFIER
from pipeline import wait_until
from relay import Relay
from simulations import simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline import Pipeline

_REFUSED = "refused"


def _outcome(
    command: list[str], settings: Mapping[str, str], folder: Path, answer: Callable[[], Relay]
) -> tuple[int, str]:
    """Run a process; let its server answer once the process has met a refusal.

    Returns:
        Its exit code and all that it wrote.
    """
    log = folder / "process.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        wait_until(lambda: _REFUSED in log.read_text("utf-8"), "the first connection is refused")
        assert process.poll() is None, log.read_text("utf-8")
        with answer():
            code = process.wait(timeout=120)
    return code, log.read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "prefix", "user", "says"),
    [
        (["clickstream_streaming", "verify"], "CLICKSTREAM_STREAMING_", VERIFIER, '"lost": '),
        (
            ["clickstream_streaming", "rebuild"],
            "CLICKSTREAM_STREAMING_",
            OWNER,
            '"mart.sessions": ',
        ),
        (["clickstream_migrations"], "CLICKSTREAM_MIGRATIONS_", OWNER, "retrying in 1 s"),
    ],
    ids=["verify", "rebuild", "migrations"],
)
def test_refused_database_is_retried(
    pipeline: Pipeline, tmp_path: Path, command: list[str], prefix: str, user: str, says: str
) -> None:
    """The Job's process waits for its database and then does its work."""
    port = free_port()
    name = tmp_path / "user"
    name.write_text(user, encoding="utf-8")
    settings = {
        f"{prefix}POSTGRES_HOST": "127.0.0.1",
        f"{prefix}POSTGRES_PORT": str(port),
        f"{prefix}POSTGRES_DATABASE": DATABASE,
        f"{prefix}POSTGRES_USER_FILE": str(name),
        f"{prefix}POSTGRES_PASSWORD_FILE": str(pipeline.state.secret(user)),
        f"{prefix}POSTGRES_SSLMODE": "disable",
    }

    code, said = _outcome(command, settings, tmp_path, lambda: Relay(pipeline.postgres.port, port))

    # What the tables hold is other tests' affair: a verification may end with 1.
    assert code == 0 or command[-1] == "verify", said
    assert says in said


def test_refused_broker_is_retried(pipeline: Pipeline, tmp_path: Path) -> None:
    """A worker waits for its broker, sends its events and ends with success."""
    file = tmp_path / "simulation.yaml"
    file.write_text(dump_simulation(simulation(more="  stopAfter: {events: 10}")), encoding="utf-8")
    run_id = uuid4()
    port, broker = free_port(), int(pipeline.kafka.bootstrap_servers.rsplit(":", 1)[1])
    prefix = "CLICKSTREAM_GENERATOR_"
    settings = {
        f"{prefix}SIMULATION_FILE": str(file),
        f"{prefix}BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        f"{prefix}RUN_ID": str(run_id),
        f"{prefix}METRICS_PORT": str(free_port()),
    }

    code, said = _outcome(
        ["clickstream_generator"], settings, tmp_path, lambda: Relay(broker, port)
    )

    assert code == 0, said
    pipeline.drain(run_id)  # other tests expect that nothing is under way
