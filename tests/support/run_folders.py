"""What a folder of a run holds, for tests of the generator alone.

Owns reading files of each form and the ledger beside them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["content_hash", "event_ids", "json_lines", "ledger", "without_sent_at"]


def without_sent_at(value: bytes) -> bytes:
    """Return a record without the moment at which it was sent."""
    return re.sub(rb',"sent_at":"[^"]*"', b"", value, count=1)


def json_lines(folder: Path) -> list[bytes]:
    """Return the records of JSON lines, without when they were sent, sorted."""
    return sorted(
        without_sent_at(line)
        for path in folder.glob("events/day=*/shard-*.jsonl.gz")
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]
    )


def content_hash(lines: list[bytes]) -> str:
    """Return the sha256 of records in the order of their text."""
    return hashlib.sha256(b"\n".join(sorted(map(without_sent_at, lines)))).hexdigest()


def event_ids(folder: Path) -> Counter[str]:
    """Return how often each event is in the files of any form; a broken file is an error."""
    found: Counter[str] = Counter()
    for path in folder.glob("events/day=*/shard-*"):
        if path.name.endswith(".parquet"):
            found.update(pq.ParquetFile(path).read(["event_id"])["event_id"].to_pylist())
            continue
        text = gzip.decompress(path.read_bytes()).decode()
        if path.name.endswith(".csv.gz"):
            found.update(row["event_id"] for row in csv.DictReader(io.StringIO(text)))
        else:
            found.update(json.loads(line)["event_id"] for line in text.splitlines())
    return found


def ledger(folder: Path) -> dict[tuple[int, str, str], dict[str, Any]]:
    """Return the last ledger entry of each shard, kind and minute."""
    found: dict[tuple[int, str, str], dict[str, Any]] = {}
    for path in sorted(folder.glob("ledger/*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            found[row["shard"], row["kind"], row["minute"]] = row
    return found
