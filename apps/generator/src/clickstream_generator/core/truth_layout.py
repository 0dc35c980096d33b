"""The names of the files that keep the truth of a run.

A run that writes a folder of events has a folder of ledger files beside its record; any other run
has one ledger file. The judge reads both.
"""

from __future__ import annotations

__all__ = ["LEDGER_FOLDER", "LEDGER_NAME", "LEDGER_SUFFIX", "RECORD_NAME"]

RECORD_NAME = "run.json"
"""The run record."""
LEDGER_SUFFIX = ".jsonl"
LEDGER_NAME = f"ledger{LEDGER_SUFFIX}"
"""The ledger of a run that writes no folder of events."""
LEDGER_FOLDER = "ledger"
"""The ledger of a run that writes a folder of events, one file for each part. The names of a
shard's files sort in the order in which they were written."""
