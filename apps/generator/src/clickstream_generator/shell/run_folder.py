"""A folder with the events, the ledger and the record of a run.

Owns the folder's layout. Every file is written at once, and files of others are never touched::

    run.json                                            the run record
    events/day=2026-11-29/shard-0000-part-00001.parquet     events, by the day of their time
    ledger/shard-0000-part-00001.jsonl                  ledger entries changed by the part
    state/shard-0000.snapshot                           state from which a killed run resumes

A part is a fixed range of a shard's event numbers, so a part that is made again has the same
content. Its file in ``ledger`` is written last: a part with this file is complete.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from clickstream_generator.core.file_formats import FILE_FORMATS
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.core.snapshot import dump_snapshot, load_snapshot
from clickstream_generator.core.truth_layout import LEDGER_FOLDER, LEDGER_SUFFIX, RECORD_NAME
from clickstream_generator.errors import OutputRefused
from clickstream_generator.shell.whole_files import is_temporary, remove_temporary, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from clickstream_generator.core.file_formats import EventFile
    from clickstream_generator.core.snapshot import Snapshot

__all__ = ["RunFolder"]

_EVENTS, _STATE = "events", "state"
_AHEAD = 4
"""Most tasks in the queue of the writing thread; more would only use memory."""


class RunFolder:
    """A run's folder, which only one process at a time may write.

    A separate thread builds the files: compression releases Python's lock.

    Args:
        path: The folder; created if missing.
        file_format: ``jsonl``, ``csv`` or ``parquet``.
        convert: Returns a native record in the form of the folder's records; ``None`` for native.

    Attributes:
        record: The record of the folder's run; ``None`` if the folder is empty.

    Raises:
        OutputRefused: On entering: the folder holds other files, or another process writes it.
        OutputFailed: By each method: a file could not be written.
        RecordUnusable: On entering: ``run.json`` is not a run record.
    """

    def __init__(
        self,
        path: Path,
        file_format: str,
        convert: Callable[[bytes | None], bytes | None] | None = None,
    ) -> None:
        self.record: RunRecord | None = None
        self._path = path
        self._place = f"{file_format}:{path}"
        self._format = FILE_FORMATS[file_format]
        self._convert = convert
        self._lock: int | None = None
        self._open: dict[int, dict[str, EventFile]] = {}
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="files")
        self._tasks: deque[Future[None]] = deque()
        self._has_failed = False

    def __enter__(self) -> Self:
        """Lock the folder, and read its run record."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise OutputRefused(
                self._place, f"is not a usable folder ({error.strerror})", "choose another folder"
            ) from None
        try:
            self._take()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish pending writes, and unlock the folder."""
        self._writer.shutdown(cancel_futures=kind is not None)
        if self._lock is not None:
            os.close(self._lock)

    def keep_record(self, record: RunRecord) -> None:
        """Replace the run record."""
        write_whole(self._path / RECORD_NAME, record.to_json().encode())
        self.record = record

    def snapshots(self) -> dict[int, Snapshot]:
        """Return the shards' snapshots, by shard.

        Raises:
            SnapshotUnusable: A file in ``state`` is not a snapshot.
        """
        found = sorted((self._path / _STATE).glob("shard-*.snapshot"))
        rows = [load_snapshot(path.read_bytes()) for path in found]
        return {row.number: row for row in rows}

    def has_part(self, number: int, part: int) -> bool:
        """Return whether a part of a shard is complete."""
        return self._ledger_path(number, part).exists()

    def add(self, number: int, day: str, values: list[bytes]) -> None:
        """Add records to the open part of a shard.

        Args:
            number: The shard.
            day: The day of their events, ISO 8601.
            values: The records.
        """
        files = self._open.setdefault(number, {})
        if day not in files:
            files[day] = self._format()
        self._do(self._add, files[day], values)

    def close_part(
        self, number: int, part: int, ledger: list[dict[str, Any]], snapshot: Snapshot | None
    ) -> None:
        """Write the open part of a shard.

        Args:
            number: The shard.
            part: The part's number.
            ledger: The ledger entries that it has changed.
            snapshot: The shard's snapshot after the part, or ``None`` to keep none.
        """
        files = self._open.pop(number, {})
        self._do(self._write_part, number, part, files, ledger)
        if snapshot is not None:
            self._do(self._write_snapshot, number, snapshot)

    def settle(self) -> None:
        """Wait until all files are written."""
        while self._tasks:
            self._tasks.popleft().result()

    def forget_state(self) -> None:
        """Remove the snapshots; a run that is over needs none."""
        folder = self._path / _STATE
        for path in folder.glob("*"):
            path.unlink()
        if folder.exists():
            folder.rmdir()

    def _add(self, file: EventFile, values: list[bytes]) -> None:
        if self._convert is not None:
            values = [self._convert(value) or b"" for value in values]
        file.add(values)

    def _take(self) -> None:
        """Lock the folder, and check its content."""
        assert self._lock is not None  # noqa: S101  set by the caller
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputRefused(
                self._place,
                "is written by another process",
                "wait for it, or choose another folder",
            ) from None
        names = {entry.name for entry in self._path.iterdir() if not is_temporary(entry.name)}
        if RECORD_NAME in names:
            path = self._path / RECORD_NAME
            self.record = RunRecord.from_json(path.read_text(encoding="utf-8"), str(path))
        elif names:
            raise OutputRefused(
                self._place,
                f"holds {min(names)}, which belongs to no run",
                "choose an empty folder or a new one",
            )
        remove_temporary(self._path)

    def _do(self, task: Any, *arguments: Any) -> None:  # noqa: ANN401  any function
        """Queue a task for the writing thread."""
        self._tasks.append(self._writer.submit(self._perform, task, *arguments))
        while len(self._tasks) > _AHEAD or (self._tasks and self._tasks[0].done()):
            self._tasks.popleft().result()

    def _perform(self, task: Any, *arguments: Any) -> None:  # noqa: ANN401  any function
        """Run a task, unless an earlier one has failed.

        A snapshot must not be written after a missing part.
        """
        if self._has_failed:
            return
        self._has_failed = True
        task(*arguments)
        self._has_failed = False

    def _write_part(
        self, number: int, part: int, files: dict[str, EventFile], ledger: list[dict[str, Any]]
    ) -> None:
        for day, file in files.items():
            name = f"{_part_name(number, part)}{file.suffix}"
            write_whole(self._path / _EVENTS / f"day={day}" / name, file.content())
        lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in ledger)
        write_whole(self._ledger_path(number, part), lines.encode())

    def _write_snapshot(self, number: int, snapshot: Snapshot) -> None:
        path = self._path / _STATE / f"shard-{number:04d}.snapshot"
        write_whole(path, dump_snapshot(snapshot))

    def _ledger_path(self, number: int, part: int) -> Path:
        return self._path / LEDGER_FOLDER / f"{_part_name(number, part)}{LEDGER_SUFFIX}"


def _part_name(number: int, part: int) -> str:
    return f"shard-{number:04d}-part-{part:05d}"
