"""The run's events, made again by one process per core.

Owns the processes: each makes some of the shards, and returns only sums. A process ends with its
part, also if the judge is killed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
from clickstream_generator.errors import WorldChanged

from clickstream_judge.core.aggregates import NEEDED_FIELDS
from clickstream_judge.core.fields import checksums, truth_texts
from clickstream_judge.core.remaking import remake
from clickstream_judge.core.true_sums import Span, TrueSums
from clickstream_judge.errors import JudgeError, JudgeFailed, TruthUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from clickstream_generator.core.run_record import RunRecord

    from clickstream_judge.core.aggregates import Groups

__all__ = ["Made", "Part", "make_sums"]

_EVENTS_PER_PROCESS = 500_000
"""Fewer events are made faster than another process starts."""


@dataclass(frozen=True)
class Part:
    """What to make again.

    Attributes:
        record: The run record.
        last_seq: The last event of each shard to make.
        names: The fields of the checksum; empty to count only.
        span: The minutes that count.
        groups: Groups of sums to fill.
    """

    record: RunRecord
    last_seq: Mapping[int, int]
    names: tuple[str, ...]
    span: Span
    groups: tuple[Groups, ...]


@dataclass(frozen=True)
class Made:
    """What was made again: sums per minute, and the filled groups."""

    sums: TrueSums
    groups: tuple[Groups, ...]


def make_sums(part: Part, processes: int | None = None) -> Made:
    """Make events again, and return their sums.

    Args:
        part: What to make.
        processes: Number of processes; by default one per core, and fewer for few events.

    Raises:
        JudgeFailed: A process was killed.
        TooMuchToJudge: There are more groups than fit into memory.
        TruthUnusable: The run cannot be made again.
    """
    shards = sorted(part.last_seq)
    if processes is None:
        enough = sum(part.last_seq.values()) // _EVENTS_PER_PROCESS
        processes = max(1, min(len(os.sched_getaffinity(0)), enough))
    processes = min(processes, len(shards))
    if processes == 1:
        return _make(part)
    made, *others = _in_processes(
        [
            replace(part, last_seq={shard: part.last_seq[shard] for shard in shards[at::processes]})
            for at in range(processes)
        ]
    )
    for other in others:
        made.sums.merge(other.sums)
        for groups, more in zip(made.groups, other.groups, strict=True):
            groups.merge(more)
    return made


def _make(part: Part) -> Made:
    sums = TrueSums()
    fields = (*part.names, *(NEEDED_FIELDS if part.groups else ()))
    try:
        for chunk in remake(part.record, part.last_seq, fields, sorted(part.last_seq)):
            if part.span.covers(chunk.time_ms // 60_000).any():
                if part.names:
                    numbers = checksums(truth_texts(chunk.table, part.names))
                else:
                    numbers = np.zeros(len(chunk.time_ms), dtype=np.int64)
                sums.add(chunk, numbers, part.span)
            for groups in part.groups:
                groups.add(chunk)
    except WorldChanged as error:
        raise TruthUnusable(
            f"run {part.record.run_id}", f"cannot be made again: {error.reason}",
            "install the version that began it",
        ) from None  # fmt: skip
    return Made(sums, part.groups)


def _in_processes(parts: list[Part]) -> list[Made]:
    context = get_context("spawn")
    running: list[tuple[SpawnProcess, Connection]] = []
    try:
        for part in parts:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(part, theirs), daemon=True)
            process.start()
            theirs.close()
            running.append((process, ours))
        return [_received(process, ours) for process, ours in running]
    finally:
        for process, ours in running:
            process.kill()
            process.join()
            ours.close()


def _received(process: SpawnProcess, ours: Connection) -> Made:
    try:
        found = ours.recv()
    except EOFError:
        process.join()
        raise JudgeFailed(f"a process ended with code {process.exitcode}") from None
    if isinstance(found, JudgeError):
        raise found
    made: Made = found
    return made


def _work(part: Part, theirs: Connection) -> None:
    """Make a part in this process, and send what was made or why it cannot be."""
    try:
        theirs.send(_make(part))
    except JudgeError as error:
        theirs.send(error)
