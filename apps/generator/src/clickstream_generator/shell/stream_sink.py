"""The sink of a run that does not write a folder: standard output, Kafka or HTTP.

Owns which sink takes the records of a form. Every sink here takes native records.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_tables import NATIVE
from clickstream_generator.shell.formed_sink import FormedSink
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.truth import LedgerTopic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from clickstream_generator.core.form_rows import Form
    from clickstream_generator.shell.generation import Request
    from clickstream_generator.shell.kafka_target import KafkaTarget
    from clickstream_generator.shell.sink import Sink
    from clickstream_generator.shell.truth import Truth

__all__ = ["stream_sink"]


@contextmanager
def stream_sink(
    request: Request,
    form: Form,
    kafka: KafkaTarget | None,
    truths: list[Truth],
    console: Console,
) -> Iterator[Sink]:
    """Return the sink of the output; close it at the end.

    Args:
        request: The options.
        form: The form of the records.
        kafka: The topics, if the output is Kafka.
        truths: The outputs for record and ledger; the ledger's topic is added.
        console: The console for messages.
    """
    if request.http is not None:
        posting = request.http.sink(form, console.print)
        try:
            yield posting
        finally:
            posting.close()
    elif kafka is not None:
        yield _kafka_sink(request, form, kafka, truths)
    elif form is NATIVE:
        yield LineSink(sys.stdout.buffer)
    else:
        yield FormedSink(LineSink(sys.stdout.buffer), Converter(form).convert)


def _kafka_sink(request: Request, form: Form, kafka: KafkaTarget, truths: list[Truth]) -> Sink:
    """Return the sink of the topic for events; prepare the topics."""
    created = kafka.create_missing() if request.is_creating else []
    if not request.is_appending:
        kafka.check_is_free(created)
    sink = kafka.sink(form)
    if kafka.ledger_topic is not None:
        truths.append(LedgerTopic(sink, kafka.ledger_topic))
    return sink
