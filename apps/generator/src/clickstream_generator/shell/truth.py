"""The outputs for the run record and the ledger, for runs that do not write a folder.

Owns the files of ``--truth``, and the ledger's topic.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Protocol

from clickstream_generator.core.record_entries import RecordEntries
from clickstream_generator.core.truth_layout import LEDGER_NAME, RECORD_NAME, TRUTH_NAMES
from clickstream_generator.errors import OutputFailed, OutputRefused
from clickstream_generator.shell.sink import Batch
from clickstream_generator.shell.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.shell.kafka_sink import KafkaSink

__all__ = ["LedgerTopic", "Truth", "TruthFolder"]

_LOG = logging.getLogger(__name__)


class Truth(Protocol):
    """An output for the run record and the ledger."""

    def keep_record(self, record: RunRecord) -> None:
        """Replace the run record."""

    def keep_ledger(self, rows: list[dict[str, Any]]) -> None:
        """Add ledger entries; the last entry of a shard and minute counts."""

    def keep_truths(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """Add rows of a kind in :mod:`clickstream_contract.run_truths`; after the record."""


class TruthFolder:
    """A folder with ``run.json``, ``ledger.jsonl``, and a file for each kind of truth with rows.

    Args:
        path: The folder; created if missing.

    Raises:
        OutputRefused: The folder is not empty.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            found = sorted(entry.name for entry in path.iterdir())
        except OSError as error:
            raise OutputRefused(
                f"--truth {path}",
                f"is not a usable folder ({error.strerror})",
                "choose another folder",
            ) from None
        if found:
            raise OutputRefused(
                f"--truth {path}", f"holds {found[0]}", "choose an empty folder or a new one"
            )
        self._path = path

    def keep_record(self, record: RunRecord) -> None:
        """Replace ``run.json``."""
        write_whole(self._path / RECORD_NAME, record.to_json().encode())

    def keep_ledger(self, rows: list[dict[str, Any]]) -> None:
        """Add lines to ``ledger.jsonl``."""
        self._add(LEDGER_NAME, rows)

    def keep_truths(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """Add lines to the file of a kind of truth."""
        self._add(TRUTH_NAMES[kind], rows)

    def _add(self, name: str, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        path = self._path / name
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        except OSError as error:
            raise OutputFailed(
                str(path),
                error.strerror or str(error),
                "free some space, and start again in a new folder",
            ) from None


class LedgerTopic:
    """A topic for the ledger, with the run record in it; records are keyed by run and shard.

    Args:
        sink: The sink for the events' cluster.
        topic: The topic.
    """

    def __init__(self, sink: KafkaSink, topic: str) -> None:
        self._sink, self._topic = sink, topic
        self._entries: RecordEntries | None = None

    def keep_record(self, record: RunRecord) -> None:
        """Publish the start of the run, once, and each new revision."""
        if self._entries is None:
            self._entries = RecordEntries(record)
        self.keep_revisions([row.to_json() for row in record.revisions])

    def keep_revisions(
        self, revisions: Sequence[Mapping[str, Any]], at_most: int | None = None
    ) -> None:
        """Publish new revisions of a record that is kept.

        Args:
            revisions: All revisions so far, as :meth:`Revision.to_json` gives them.
            at_most: How many of them; all if absent.
        """
        if self._entries is None:
            return
        cut = self._entries.cut
        self.keep_ledger(self._entries.following(revisions, at_most))
        if self._entries.cut > cut:
            _LOG.warning(
                "ops.runs cannot have the whole run record: a simulation in it is too long; use"
                " clickstream record"
            )

    def keep_truths(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """Publish rows of truth, for ``ops.incidents`` and ``ops.experiments``."""
        assert self._entries is not None or not rows  # noqa: S101  the record comes first
        if self._entries is not None:
            self.keep_ledger([self._entries.of_truth(kind, row) for row in rows])

    def keep_ledger(self, rows: list[dict[str, Any]]) -> None:
        """Publish entries."""
        if not rows:
            return
        self._sink.publish(
            self._topic,
            [
                (
                    f"{row['run_id']}/{row['shard']}".encode(),
                    json.dumps(row, separators=(",", ":")).encode(),
                )
                for row in rows
            ],
            Batch(),
        )
