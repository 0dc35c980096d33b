"""The files of the truth: run record and ledger.

Owns how they are found from what a mapping names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.core.truth_layout import LEDGER_FOLDER, LEDGER_SUFFIX, RECORD_NAME
from clickstream_generator.errors import RecordUnusable

from clickstream_judge.core.ledger import Ledger
from clickstream_judge.errors import TruthUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_judge.core.mapping import Truth

__all__ = ["read_truth"]


def read_truth(truth: Truth, folder: Path) -> tuple[RunRecord, Ledger]:
    """Return run record and ledger.

    Args:
        truth: The mapping's part.
        folder: The folder of the mapping; relative paths begin there.

    Raises:
        TruthUnusable: A file is missing, or is not what it should be.
    """
    place = folder / truth.run
    path = place / RECORD_NAME if place.is_dir() else place
    try:
        record = RunRecord.from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise TruthUnusable(
            str(path), f"cannot be read ({reason})", "name the run's folder, or its run record"
        ) from None
    except RecordUnusable as error:
        raise TruthUnusable(str(path), f"has {error.found}", error.remedy) from None
    files = _ledger_files(path.parent if truth.ledger is None else folder / truth.ledger)
    return record, Ledger.read(
        _entries(files), record.run_id, record.first.spec.shards, str(files[0].parent)
    )


def _ledger_files(place: Path) -> list[Path]:
    """Return the ledger's files in the order in which they were written."""
    if place.is_file():
        return [place]
    # Parts are numbered: the entry of a later part holds.
    pattern = f"*{LEDGER_SUFFIX}"
    files = sorted((place / LEDGER_FOLDER).glob(pattern)) or sorted(place.glob(pattern))
    if not files:
        raise TruthUnusable(
            str(place), "has no ledger", "name its file or folder in truth.ledger of the mapping"
        )
    return files


def _entries(files: list[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        try:
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):  # the last line of a running generator is unfinished
                        yield json.loads(line)
        except OSError as error:
            raise TruthUnusable(
                str(file), f"cannot be read ({error.strerror})", "name the run's ledger"
            ) from None
