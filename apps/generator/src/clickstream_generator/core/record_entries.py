"""The run record as ledger entries: for the start of the run, each revision and each row of truth.

Owns these entries. Each has the record at the start with at most one revision or row of truth, so
that a reader can add them up in any order.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from clickstream_contract.events import MAX_EVENT_BYTES
from clickstream_contract.ledger import LEDGER_COLUMNS, LedgerKind

from clickstream_generator.core.shard_ledger import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickstream_generator.core.run_record import RunRecord

__all__ = ["RecordEntries"]


class RecordEntries:
    """The ledger entries of a run record, each returned once.

    Args:
        record: The run record; only the start of the run counts.

    Attributes:
        cut: Number of entries whose new document was left out, because it was too long.
    """

    def __init__(self, record: RunRecord) -> None:
        at_start = replace(record, revisions=(), ends_at={}, ended_at=None, layout=None)
        self.cut = 0
        self._start = at_start.content()
        self._short = {**self._start, "document": None}
        self._short.pop("products", None)
        self._returned = 0

    def following(
        self, revisions: Sequence[Mapping[str, Any]], at_most: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the next entries; none once all were returned.

        Args:
            revisions: All revisions so far, as :meth:`Revision.to_json` gives them.
            at_most: How many; all if absent. Each takes some milliseconds.
        """
        rows = (None, *revisions)[self._returned :][:at_most]
        self._returned += len(rows)
        return [self._entry(row) for row in rows]

    def of_truth(self, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ledger entry of a row of truth.

        Args:
            kind: One of :data:`clickstream_contract.run_truths.RUN_TRUTHS`.
            row: Its values.
        """
        record = {**self._short, "revisions": [], kind: [row]}
        return self._with(record, record["start_seconds"])

    def _entry(self, revision: Mapping[str, Any] | None) -> dict[str, Any]:
        if revision is None:
            starts, since, revisions = [self._start], self._start["start_seconds"], []
        else:
            starts, since = [self._start, self._short], revision["from_seconds"]
            revisions = [{**revision, "document": _resource(revision["document"])}]
        for start in starts:
            entry = self._with({**start, "revisions": revisions}, since)
            # The stream rejects longer records.
            if len(json.dumps(entry)) <= MAX_EVENT_BYTES:
                return entry
        self.cut += 1
        cut = [{**row, "document": None} for row in revisions]
        return self._with({**self._short, "revisions": cut}, since)

    def _with(self, record: Mapping[str, Any], since_seconds: float) -> dict[str, Any]:
        """Return a ledger entry that has a run record."""
        minute = int(1_000 * since_seconds) // MINUTE_MS * MINUTE_MS
        return dict.fromkeys((row.name for row in LEDGER_COLUMNS), 0) | {
            "kind": LedgerKind.REVISION.value,
            "simulation": record["simulation"],
            "run_id": record["run_id"],
            "shards": record["shards"],
            "minute": f"{np.datetime64(minute, 'ms')}Z",
            "run_record": json.dumps(record, ensure_ascii=False, separators=(",", ":")),
        }


@lru_cache(maxsize=4)
def _resource(document: str) -> Any:  # noqa: ANN401  the content of YAML
    """Return a simulation's document as JSON values; of a worker that sheds, all are the same."""
    return yaml.safe_load(document)
