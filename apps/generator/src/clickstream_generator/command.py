"""``clickstream generate``: the generator alone, to standard output, files or Kafka.

Owns the command's arguments, and the error output of ``clickstream-generator``, which is the same
command without the rest of the pipeline. Heavy modules are imported inside the command, so that
other commands start fast.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import Annotated
from uuid import UUID

import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.topics import EVENTS, LEDGER

from clickstream_generator.errors import GeneratorError

__all__ = ["app", "generate", "main"]

_ENVIRONMENT = "CLICKSTREAM_GENERATOR_"
_WIDE_CELLS = 200

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def generate(
    file: Annotated[
        Path | None, typer.Argument(help="The simulation, a ClickstreamSimulation in YAML.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Instead of FILE: a run record whose events to make again.")
    ] = None,
    events: Annotated[int | None, typer.Option(help="End after this many events.")] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="End after this simulated time, such as 1h or 30d.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Events per second; overrides the file.")] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="stdout, jsonl:FOLDER, csv:FOLDER, parquet:FOLDER or kafka:SERVERS.",
        ),
    ] = "stdout",
    start: Annotated[
        str | None,
        typer.Option(
            help="Start of the live part, ISO 8601 with a time zone. Default: so that the run ends "
            "about now; with --paced, now."
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(help="The run's id, a UUID. Default: derived from FILE and start."),
    ] = None,
    part_events: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Events of a shard per file of a folder."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="New folder for run record and ledger, if the output is no folder."),
    ] = None,
    topic: Annotated[str, typer.Option(help="Kafka: topic for events.")] = EVENTS.name,
    ledger_topic: Annotated[
        str | None,
        typer.Option(help=f"Kafka: topic for the ledger; {LEDGER.name} without --topic."),
    ] = None,
    kafka_config: Annotated[
        Path | None,
        typer.Option(help="Kafka: file of librdkafka's connection settings, name=value lines."),
    ] = None,
    security_protocol: Annotated[
        str | None,
        typer.Option(envvar=f"{_ENVIRONMENT}SECURITY_PROTOCOL", help="Kafka: such as SASL_SSL."),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(envvar=f"{_ENVIRONMENT}CA_FILE", help="Kafka: CA certificates."),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(envvar=f"{_ENVIRONMENT}USERNAME", help="Kafka: user name for SASL."),
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(envvar=f"{_ENVIRONMENT}PASSWORD_FILE", help="Kafka: file with the password."),
    ] = None,
    sasl_mechanism: Annotated[
        str | None,
        typer.Option(envvar=f"{_ENVIRONMENT}SASL_MECHANISM", help="Kafka: such as SCRAM-SHA-512."),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Kafka: json, avro, protobuf or json-schema.")
    ] = "json",
    registry: Annotated[
        str | None,
        typer.Option(
            envvar=f"{_ENVIRONMENT}REGISTRY",
            help="Kafka: URL of a schema registry, for records in Confluent's wire format.",
        ),
    ] = None,
    registry_username: Annotated[
        str | None,
        typer.Option(envvar=f"{_ENVIRONMENT}REGISTRY_USERNAME", help="Registry: user name."),
    ] = None,
    registry_password_file: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_ENVIRONMENT}REGISTRY_PASSWORD_FILE", help="Registry: file with the password."
        ),
    ] = None,
    registry_ca_file: Annotated[
        Path | None,
        typer.Option(envvar=f"{_ENVIRONMENT}REGISTRY_CA_FILE", help="Registry: CA certificates."),
    ] = None,
    subject_strategy: Annotated[
        str, typer.Option(help="Registry: subject by topic, record or topic-record.")
    ] = "topic",
    *,
    registry_no_register: Annotated[
        bool,
        typer.Option("--registry-no-register", help="Registry: look the schema up only."),
    ] = False,
    print_schema: Annotated[
        bool, typer.Option("--print-schema", help="Print the encoding's schema, and end.")
    ] = False,
    paced: Annotated[
        bool,
        typer.Option("--paced", help="Send events when they are due, and apply edits of FILE."),
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Kafka: append to topics that hold records.")
    ] = False,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Kafka: create missing topics.")
    ] = False,
) -> None:
    """Write events to standard output, files or Kafka, with a ledger and a run record."""
    from rich.console import Console  # noqa: PLC0415

    from clickstream_generator.shell import generation  # noqa: PLC0415
    from clickstream_generator.shell.encoding_choice import (  # noqa: PLC0415
        encoding_choice,
        printed_schema,
    )
    from clickstream_generator.shell.output import parse_output  # noqa: PLC0415
    from clickstream_generator.shell.registry import Registry  # noqa: PLC0415
    from clickstream_generator.shell.simulation_source import Overrides  # noqa: PLC0415

    if print_schema:
        sys.stdout.write(printed_schema(encoding))
        return
    if (file is None) == (run is None):
        raise SimulationInvalid("generate", None, "give either FILE or --run")
    overrides = Overrides(for_, rate, events)
    if run is not None and overrides != Overrides():
        raise SimulationInvalid(
            "--run", str(run), "it fixes rate and end; leave out --rate, --events and --for"
        )
    chosen = parse_output(output)
    login = registry_username, registry_password_file, registry_ca_file
    encoded = encoding_choice(
        encoding,
        chosen,
        topic,
        Registry(registry, *login) if registry else None,
        strategy=subject_strategy,
        is_registering=not registry_no_register,
    )
    kafka = None
    if chosen.is_kafka:
        from clickstream_generator.shell.kafka_target import (  # noqa: PLC0415
            KafkaTarget,
            kafka_settings,
            read_client_file,
        )

        client = {} if kafka_config is None else read_client_file(kafka_config)
        options = {
            "bootstrap_servers": chosen.place or os.environ.get(f"{_ENVIRONMENT}BOOTSTRAP_SERVERS"),
            "security_protocol": security_protocol,
            "ca_file": ca_file,
            "username": username,
            "password_file": password_file,
            "sasl_mechanism": sasl_mechanism,
        }
        settings = kafka_settings(options, client, file or run)
        is_ours = topic == EVENTS.name and ledger_topic is None
        kafka = KafkaTarget(settings, topic, LEDGER.name if is_ours else ledger_topic, client)
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE_CELLS
    generation.generate(
        generation.Request(
            file=file,
            record_file=run,
            overrides=overrides,
            output=chosen,
            is_paced=paced,
            start_seconds=_moment(start),
            run_id=_uuid(run_id),
            part_events=part_events,
            truth=truth,
            kafka=kafka,
            is_appending=append,
            is_creating=create_topics,
            encoding=encoded,
        ),
        console,
    )


def main() -> None:
    """Run the command; print an error as one line, and exit with its code."""
    try:
        app()
    except SimulationInvalid as error:
        sys.exit(_say(error, 2))
    except (GeneratorError, OSError) as error:
        sys.exit(_say(error, 1))


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
    return code


def _moment(text: str | None) -> float | None:
    """Return a time from the command line, in Unix seconds."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        allowed = "a time with a time zone, such as 2026-11-27T08:00:00Z"
        raise SimulationInvalid("--start", text, allowed)
    return moment.timestamp()


def _uuid(text: str | None) -> UUID | None:
    """Return a UUID from the command line."""
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise SimulationInvalid("--run-id", text, "it must be a UUID") from None


if __name__ == "__main__":
    main()
