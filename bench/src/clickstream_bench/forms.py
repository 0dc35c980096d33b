"""The speed of the forms, in one process and without an output.

Each chunk of events is converted in turn into every form, so that all of them see the same machine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

from clickstream_generator.benchmarking import FORMS, Converter, Requests, Simulator

from clickstream_bench.chunks import RATE, encoded_chunks
from clickstream_bench.shop import shop

if TYPE_CHECKING:
    from clickstream_generator.benchmarking import Form

__all__ = ["measure_forms"]


def measure_forms(events: int) -> dict[str, float]:
    """Return each form's events per second as records and as HTTP requests, and against native.

    A time is the processor time of the events' JSON and of its conversion.

    Args:
        events: Number of events for each form.
    """
    simulator = Simulator(shop(rate=RATE), (0, 1, 2, 3), uuid4())
    converters = {name: _Conversions(form) for name, form in FORMS.items()}
    made = 0
    for chunk, encoded, json_seconds in encoded_chunks(simulator, events):
        made += len(chunk)
        for converter in converters.values():
            converter.add(encoded.values, json_seconds)
    native = converters["native"]
    return {
        **{f"{name}_records_per_second": made / one.seconds for name, one in converters.items()},
        **{
            f"{name}_records_to_native": native.seconds / one.seconds
            for name, one in converters.items()
            if one is not native
        },
        **{
            f"{name}_posted_per_second": made / one.posted_seconds
            for name, one in converters.items()
        },
        **{
            f"{name}_posted_to_native": native.posted_seconds / one.posted_seconds
            for name, one in converters.items()
            if one is not native
        },
    }


class _Conversions:
    """The conversions of one form, and their processor time in seconds."""

    def __init__(self, form: Form) -> None:
        self._convert = None if form.name == "native" else Converter(form).convert
        self._requests = Requests(form)
        self.seconds = self.posted_seconds = 0.0

    def add(self, values: list[bytes], json_seconds: float) -> None:
        """Convert events, to records and to requests."""
        began = time.process_time()
        if self._convert is not None:
            for value in values:
                self._convert(value)
        converted = time.process_time()
        for _ in self._requests.of([(value, b"") for value in values]):
            pass
        self.seconds += json_seconds + converted - began
        self.posted_seconds += json_seconds + time.process_time() - converted
