"""Which sink takes the records of which output and form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_contract.output import EventOutput
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.settings import Settings
from clickstream_generator.shell.formed_sink import FormedSink
from clickstream_generator.shell.generation import Request
from clickstream_generator.shell.http_sink import HttpSink
from clickstream_generator.shell.http_target import http_target
from clickstream_generator.shell.kafka_sink import KafkaSink
from clickstream_generator.shell.kafka_target import KafkaOptions
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.output import Output
from clickstream_generator.shell.simulation_source import Overrides
from clickstream_generator.shell.stream_sink import stream_sink
from rich.console import Console

if TYPE_CHECKING:
    from clickstream_generator.shell.truth import Truth

KAFKA = KafkaOptions(
    Settings(simulation_file=Path(__file__), bootstrap_servers="127.0.0.1:9"), "events", "ledger"
)
HTTP = http_target("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("more", "form", "kind", "ledgers"),
    [
        ({}, "native", LineSink, 0),
        ({}, "cloudevents", FormedSink, 0),
        ({"kafka": KAFKA}, "native", KafkaSink, 1),
        ({"kafka": KAFKA}, "cloudevents", KafkaSink, 1),
        ({"kafka": KAFKA}, "segment", KafkaSink, 1),
        ({"http": HTTP}, "ga4", HttpSink, 0),
    ],
)
def test_sink_fits_output_and_form(
    more: dict[str, Any], form: str, kind: type, ledgers: int
) -> None:
    """Only Kafka in CloudEvents' binary mode and HTTP convert by themselves."""
    request = Request(
        None, None, Overrides(), Output("stdout"), is_appending=True, form=FORMS[form], **more
    )
    truths: list[Truth] = []
    console = Console(stderr=True)
    kafka = None if request.kafka is None else request.kafka.target(EventOutput())
    with stream_sink(request, FORMS[form], kafka, truths, console) as sink:
        assert isinstance(sink, kind)
        if isinstance(sink, KafkaSink):
            assert (sink._headers is None) == (form != "cloudevents")
    assert len(truths) == ledgers
