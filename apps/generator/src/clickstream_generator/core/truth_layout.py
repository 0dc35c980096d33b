"""The names of the files that keep the truth of a run.

A run that writes a folder of events has a folder of ledger files beside its record; any other run
has one ledger file, and one for each kind of truth. The judge reads record and ledger.
"""

from __future__ import annotations

from clickstream_contract.run_truths import RUN_TRUTHS

__all__ = ["LEDGER_FOLDER", "LEDGER_NAME", "LEDGER_SUFFIX", "RECORD_NAME", "TRUTH_NAMES"]

RECORD_NAME = "run.json"
"""The run record."""
LEDGER_SUFFIX = ".jsonl"
LEDGER_NAME = f"ledger{LEDGER_SUFFIX}"
"""The ledger of a run that writes no folder of events."""
TRUTH_NAMES = {kind: f"{kind}{LEDGER_SUFFIX}" for kind in RUN_TRUTHS}
"""The incidents that have begun, with the true loss by each, and the arms of experiments, with the
true lift of each; a file without rows is absent."""
LEDGER_FOLDER = "ledger"
"""The ledger of a run that writes a folder of events, one file for each part. The names of a
shard's files sort in the order in which they were written."""
