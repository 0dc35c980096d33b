"""What other packages use of the stream: verification, rebuild, and deadlines."""

from __future__ import annotations

from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.retry import Deadline
from clickstream_streaming.shell.verification import (
    VerificationReport,
    record_verification,
    verify,
    wait_for_arrival,
)

__all__ = [
    "Deadline",
    "VerificationReport",
    "rebuild",
    "record_verification",
    "verify",
    "wait_for_arrival",
]
