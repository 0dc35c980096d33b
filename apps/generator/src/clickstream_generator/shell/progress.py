"""The progress bar of a run, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from clickstream_generator.core.simulator import Simulator

__all__ = ["RunProgress"]


class RunProgress:
    """The progress of a run, shown while the context is open.

    Args:
        console: The console.
        simulator: The run's simulator.
        is_shown: Whether to show the bar.
    """

    def __init__(self, console: Console, simulator: Simulator, *, is_shown: bool) -> None:
        self._simulator = simulator
        self._is_shown = is_shown
        self._bar = Progress(
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.fields[events]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not is_shown,
        )
        self._task = self._bar.add_task("", total=None, events="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self._bar.stop()

    def show(self) -> None:
        """Update the bar."""
        if not self._is_shown:
            return
        shards = self._simulator.shards.values()
        ends = [shard.last_seq for shard in shards if shard.last_seq is not None]
        total = sum(ends) if len(ends) == len(shards) else None
        made = sum(shard.made for shard in shards)
        text = f"{made:,} events" if total is None else f"{made:,} of {total:,} events"
        self._bar.update(self._task, completed=made, total=total, events=text)
