"""The end of a run by a signal."""

from __future__ import annotations

import signal

from clickstream_generator.shell.stopping import stopping


def test_first_signal_ends_in_order() -> None:
    """The first signal sets the event and restores the default; the end restores the handlers."""
    before = signal.getsignal(signal.SIGTERM)
    with stopping() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
