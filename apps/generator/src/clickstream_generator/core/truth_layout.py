"""The names of the files that keep the truth of a run.

A run that writes a folder of events has a folder of ledger files beside its record; any other run
has one ledger file, and one of its incidents. The judge reads record and ledger.
"""

from __future__ import annotations

__all__ = ["INCIDENTS_NAME", "LEDGER_FOLDER", "LEDGER_NAME", "LEDGER_SUFFIX", "RECORD_NAME"]

RECORD_NAME = "run.json"
"""The run record."""
LEDGER_SUFFIX = ".jsonl"
LEDGER_NAME = f"ledger{LEDGER_SUFFIX}"
"""The ledger of a run that writes no folder of events."""
INCIDENTS_NAME = "incidents.jsonl"
"""The incidents that have begun, with the true loss by each; absent without incidents."""
LEDGER_FOLDER = "ledger"
"""The ledger of a run that writes a folder of events, one file for each part. The names of a
shard's files sort in the order in which they were written."""
