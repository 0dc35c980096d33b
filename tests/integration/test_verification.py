"""What a verification's Job runs, on the real pipeline: the ledger from Kafka, then the judge."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.verification_result import read_result
from clickstream_local.postgres import DATABASE, VERIFIER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_contract.verification_result import VerificationResult
    from pipeline import Pipeline

pytestmark = pytest.mark.services


def _run(module: str, *arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode


@pytest.fixture
def lost_row(pipeline: Pipeline) -> Iterator[None]:
    """One row of the last run is missing while the test runs."""
    run = "SELECT run_id FROM ops.runs ORDER BY first_seen_at DESC LIMIT 1"
    chosen = f"run_id = ({run}) ORDER BY event_time OFFSET 20 LIMIT 1"
    pipeline.change(
        f"CREATE TABLE public.lost AS SELECT * FROM raw.events WHERE {chosen}",  # noqa: S608
        "DELETE FROM raw.events WHERE event_id IN (SELECT event_id FROM public.lost)",
    )
    yield
    pipeline.change("INSERT INTO raw.events SELECT * FROM public.lost", "DROP TABLE public.lost")
    assert pipeline.verify().is_clean(), "the row is back as it was"


def test_lost_row_is_named(
    pipeline: Pipeline, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With the verifier's login the stored run agrees; without one row, its minute is named."""
    run_id = pipeline.generate()
    pipeline.drain(run_id)
    truth = tmp_path / "truth"
    servers = pipeline.kafka.bootstrap_servers
    record = "clickstream_generator.record_command"
    assert not _run(record, servers, f"--truth={truth}", f"--run-id={run_id}")
    user = tmp_path / "username"
    user.write_text(f"{VERIFIER}\n", encoding="utf-8")

    def verified() -> tuple[int, VerificationResult]:
        summary = tmp_path / "summary"
        code = _run(
            "clickstream_judge.command",
            f"--truth={truth}",
            f"--connection=host={pipeline.postgres.host} port={pipeline.postgres.port}"
            f" dbname={DATABASE}",
            f"--username-file={user}",
            f"--password-file={pipeline.postgres.state.secret(VERIFIER)}",
            "--keeps=30d",
            f"--summary={summary}",
        )
        found = read_result(summary.read_text(encoding="utf-8"))
        assert found is not None
        return code, found

    code, found = verified()
    assert (code, found.differences, found.until) == (0, 0, None), found.text
    assert found.events == found.rows > 1_000

    request.getfixturevalue("lost_row")
    code, found = verified()
    ((minute,),) = pipeline.rows(
        "SELECT to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:00\"Z\"')"
        " FROM public.lost"
    )
    assert (code, found.differences, found.first_difference) == (1, 1, minute)
    assert f"1 lost, first at {minute}" in found.text
    assert found.rows == found.events - 1
