"""Where a simulation's events and ledger go.

Owns the fields of ``spec.output``, their bounds and their consistency. The stream reads the default
output only. Another output shares no topic with the default one: otherwise the stream would compare
events that it has stored with the ledger of other events.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from clickstream_contract.naming import DNS_LABEL, MAX_LABEL_LENGTH
from clickstream_contract.parts import Part, member, refuse
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS

if TYPE_CHECKING:
    from pydantic_core import PydanticCustomError

__all__ = ["INTERNAL", "MAX_TOPIC_LENGTH", "TOPIC", "Encoding", "EventOutput", "Form"]

MAX_TOPIC_LENGTH = 249
TOPIC = r"^([.]*[a-zA-Z0-9_-][a-zA-Z0-9._-]*|[.]{3,})$"
"""Pattern of a topic's name; Kafka refuses ``.`` and ``..``
(https://github.com/apache/kafka, ``org.apache.kafka.common.internals.Topic``)."""

INTERNAL = "__"
"""Start of the names of Kafka's own topics, such as ``__consumer_offsets``
(https://github.com/apache/kafka, ``org.apache.kafka.common.internals.Topic``)."""


class Form(StrEnum):
    """The form of the records: which names and which structure an event has."""

    NATIVE = "native"
    CLOUDEVENTS = "cloudevents"
    SEGMENT = "segment"
    SNOWPLOW = "snowplow"
    GA4 = "ga4"


class Encoding(StrEnum):
    """The encoding of the records: the bytes of an event."""

    JSON = "json"
    AVRO = "avro"
    PROTOBUF = "protobuf"
    JSON_SCHEMA = "json-schema"


class EventOutput(Part):
    """The topics that get a simulation's events and its ledger, and how they get the events."""

    topic: Annotated[
        str,
        Field(pattern=TOPIC, max_length=MAX_TOPIC_LENGTH, description="The topic for the events."),
    ] = EVENTS.name
    ledger_topic: Annotated[
        str,
        Field(pattern=TOPIC, max_length=MAX_TOPIC_LENGTH, description="The topic for the ledger."),
    ] = LEDGER.name
    encoding: Annotated[
        Encoding, member(Encoding), Field(description="The encoding of the events.")
    ] = Encoding.JSON
    registry: Annotated[
        str | None,
        Field(
            pattern=DNS_LABEL,
            max_length=MAX_LABEL_LENGTH,
            description="The schema registry, by its name in the operator's settings.",
        ),
    ] = None
    form: Annotated[Form, member(Form), Field(description="The form of the events.")] = Form.NATIVE

    @property
    def is_stored(self) -> bool:
        """Whether the stream reads this output."""
        return self.topic == EVENTS.name

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        for path, name in (("topic", self.topic), ("ledgerTopic", self.ledger_topic)):
            if name.startswith(INTERNAL):
                raise refuse(path, name, f"another topic: names with {INTERNAL} are Kafka's own")
        if self.topic in {LEDGER.name, SHARDS.name}:
            raise refuse("topic", self.topic, f"a topic with no other task, such as {EVENTS.name}")
        if self.ledger_topic in {self.topic, EVENTS.name, SHARDS.name}:
            raise refuse(
                "ledgerTopic",
                self.ledger_topic,
                f"a topic with no other task, such as {LEDGER.name}",
            )
        if self.is_stored and self.ledger_topic != LEDGER.name:
            raise refuse(
                "ledgerTopic", self.ledger_topic, f"{LEDGER.name} with topic {EVENTS.name}"
            )
        if not self.is_stored and self.ledger_topic == LEDGER.name:
            raise refuse(
                "ledgerTopic",
                self.ledger_topic,
                f"another topic too, as topic is {self.topic}: the stream reads {LEDGER.name} and "
                "would miss the events",
            )
        if self.is_stored and self.encoding is not Encoding.JSON:
            raise _only("encoding", self.encoding, Encoding.JSON)
        if self.is_stored and self.form is not Form.NATIVE:
            raise _only("form", self.form, Form.NATIVE)
        if self.form is not Form.NATIVE and self.encoding is not Encoding.JSON:
            allowed = f"{Encoding.JSON.value} with form {self.form.value}"
            raise refuse("encoding", self.encoding.value, allowed)
        self._check_registry()
        return self

    def _check_registry(self) -> None:
        if self.registry is not None and self.encoding is Encoding.JSON:
            raise refuse(
                "registry",
                self.registry,
                f"absent with encoding {Encoding.JSON.value}, which has no schema; or encoding "
                f"{Encoding.JSON_SCHEMA.value}",
            )
        if self.registry is None and self.encoding is Encoding.JSON_SCHEMA:
            raise refuse(
                "encoding",
                self.encoding.value,
                f"another encoding, such as {Encoding.JSON.value}, or add registry",
            )


def _only(path: str, value: StrEnum, allowed: StrEnum) -> PydanticCustomError:
    """Return the error of an output that the stream could not read."""
    text = f"{allowed.value} with topic {EVENTS.name}, whose reader is the stream"
    return refuse(path, value.value, text)
