"""The progress: a bar where people look, nothing where they do not."""

from __future__ import annotations

import io

import pytest
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.shell.progress import RunProgress
from rich.console import Console
from simulations import RUN_ID, START_SECONDS, simulation


def _simulator(more: str) -> Simulator:
    built = Simulator(simulation(more=more, users=400), (0, 1, 2, 3), RUN_ID)
    built.begin(START_SECONDS)
    built.take_due(START_SECONDS + 0.5, 10**6)
    return built


@pytest.mark.parametrize(
    ("more", "says"),
    [("  stopAfter: {events: 4000}\n", "1,000 of 4,000 events"), ("", "1,000 events")],
)
def test_bar_counts_events(more: str, says: str) -> None:
    """The bar says how many events there are, and of how many if that is known."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)

    with RunProgress(console, _simulator(more), is_shown=True) as progress:
        progress.show()
    assert says in text.getvalue()


def test_hidden_bar_writes_nothing() -> None:
    """A hidden bar writes nothing."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)

    with RunProgress(console, _simulator(""), is_shown=False) as progress:
        progress.show()
    assert text.getvalue() == ""
