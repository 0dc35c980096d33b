"""``clickstream generate``: the generator alone, to standard output, files, Kafka or HTTP.

Owns the command's arguments, and the error output of ``clickstream-generator``, which is the same
command without the rest of the pipeline. Heavy modules are imported inside the command, so that
other commands start fast.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import Encoding, Form

from clickstream_generator.compute_threads import compute_in_one_thread
from clickstream_generator.errors import GeneratorError

if TYPE_CHECKING:
    from rich.console import Console

    from clickstream_generator.shell.encoding_choice import EncodingOptions
    from clickstream_generator.shell.http_target import HttpTarget
    from clickstream_generator.shell.kafka_target import KafkaOptions
    from clickstream_generator.shell.simulation_source import Overrides

__all__ = ["app", "generate", "main"]

_ENVIRONMENT = "CLICKSTREAM_GENERATOR_"
_WIDE_CELLS = 200

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def generate(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="The simulation, a ClickstreamSimulation in YAML.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Instead of FILE: a run record whose events to make again.")
    ] = None,
    events: Annotated[int | None, typer.Option(help="End after this many events.")] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(
            help="CSV or YAML file with the shop's products: id, name, category, brand, price."
        ),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="End after this simulated time, such as 1h or 30d.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Events per second; overrides the file.")] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="stdout, jsonl:FOLDER, csv:FOLDER, parquet:FOLDER, kafka:SERVERS or a URL.",
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
    form: Annotated[
        str | None,
        typer.Option(help=f"Form of the records: {', '.join(Form)}. Default: spec.output of FILE."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="Instead of --form: a YAML file with own names, TARGET: FIELD."),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Kafka: topic for events. Default: spec.output of FILE.")
    ] = None,
    ledger_topic: Annotated[
        str | None,
        typer.Option(
            help="Kafka: topic for the ledger. Default: spec.output of FILE; with another --topic,"
            " no ledger."
        ),
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
        typer.Option(envvar=f"{_ENVIRONMENT}CA_FILE", help="Kafka and HTTPS: CA certificates."),
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
    http_headers: Annotated[
        Path | None,
        typer.Option(help="HTTP: file with headers, such as API keys, NAME: VALUE lines."),
    ] = None,
    http_query: Annotated[
        Path | None,
        typer.Option(help="HTTP: file with secret query parameters, NAME=VALUE lines."),
    ] = None,
    http_batch: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="HTTP: most records per request. Default: the form's."
        ),
    ] = None,
    http_requests: Annotated[
        int, typer.Option(min=1, max=256, help="HTTP: most requests at a time.")
    ] = 8,
    encoding: Annotated[
        str | None,
        typer.Option(help=f"Kafka: {', '.join(Encoding)}. Default: spec.output of FILE."),
    ] = None,
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
    """Write events to standard output, files, Kafka or HTTP, with a ledger and a run record."""
    from clickstream_generator.shell import generation  # noqa: PLC0415
    from clickstream_generator.shell.catalog_file import read_catalog  # noqa: PLC0415
    from clickstream_generator.shell.form_choice import chosen_form  # noqa: PLC0415
    from clickstream_generator.shell.output import parse_output  # noqa: PLC0415
    from clickstream_generator.shell.output_options import check_options  # noqa: PLC0415
    from clickstream_generator.shell.simulation_source import Overrides, read_start  # noqa: PLC0415

    if print_schema:
        _print_schema(encoding, file)
        return
    chosen = parse_output(output)
    check_options(_given(context), chosen, has_registry=bool(registry))
    overrides = Overrides(for_, rate, events)
    _check_source(file, run, overrides, catalog)
    kafka = encoded = http = None
    if chosen.is_kafka:
        connection = {
            "bootstrap_servers": chosen.place or os.environ.get(f"{_ENVIRONMENT}BOOTSTRAP_SERVERS"),
            "security_protocol": security_protocol,
            "ca_file": ca_file,
            "username": username,
            "password_file": password_file,
            "sasl_mechanism": sasl_mechanism,
        }
        kafka = _kafka(connection, kafka_config, (topic, ledger_topic))
        login = registry_username, registry_password_file, registry_ca_file
        encoded = _encoding(
            encoding, registry, login, subject_strategy, is_registering=not registry_no_register
        )
    elif chosen.is_http:
        limits = http_batch, http_requests
        http = _http(output, http_headers, http_query, ca_file, limits)
    request = generation.Request(
        file=file,
        record_file=run,
        overrides=overrides,
        output=chosen,
        is_paced=paced,
        start_seconds=read_start(start),
        run_id=_uuid(run_id),
        part_events=part_events,
        truth=truth,
        kafka=kafka,
        is_appending=append,
        is_creating=create_topics,
        form=chosen_form(form, mapping),
        http=http,
        products=() if catalog is None else read_catalog(catalog),
        encoding=encoded,
    )
    generation.generate(request, _console())


def main() -> None:
    """Run the command; print an error as one line, and exit with its code."""
    compute_in_one_thread(os.environ)
    try:
        app()
    except SimulationInvalid as error:
        sys.exit(_say(error, 2))
    except (GeneratorError, OSError) as error:
        sys.exit(_say(error, 1))


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
    return code


def _given(context: typer.Context) -> list[str]:
    """Return the options that the command line has, by their long names."""
    found = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            found.append(max(parameter.opts, key=len))
    return found


def _check_source(
    file: Path | None, run: Path | None, overrides: Overrides, catalog: Path | None
) -> None:
    """Raise an error unless there is one source of the run."""
    if (file is None) == (run is None):
        raise SimulationInvalid("generate", None, "give either FILE or --run")
    if run is not None and (overrides != type(overrides)() or catalog is not None):
        raise SimulationInvalid(
            "--run",
            str(run),
            "it fixes catalog, rate and end; leave out --catalog, --rate, --events and --for",
        )


def _print_schema(encoding: str | None, file: Path | None) -> None:
    """Print the schema of an encoding, by default of the one in FILE."""
    from clickstream_generator.shell.encoding_choice import printed_schema  # noqa: PLC0415
    from clickstream_generator.shell.simulation_source import (  # noqa: PLC0415
        Overrides,
        read_simulation,
    )

    name = encoding or Encoding.JSON.value
    if encoding is None and file is not None:
        name = read_simulation(file, Overrides()).spec.event_output.encoding.value
    sys.stdout.write(printed_schema(name))


def _kafka(
    connection: dict[str, str | None],
    config: Path | None,
    topics: tuple[str | None, str | None],
) -> KafkaOptions:
    from clickstream_generator.shell.kafka_target import (  # noqa: PLC0415
        KafkaOptions,
        kafka_settings,
        read_client_file,
    )

    client = {} if config is None else read_client_file(config)
    return KafkaOptions(kafka_settings(connection, client), *topics, client)


def _encoding(
    name: str | None,
    url: str | None,
    login: tuple[str | None, Path | None, Path | None],
    strategy: str,
    *,
    is_registering: bool,
) -> EncodingOptions:
    from clickstream_generator.shell.encoding_choice import EncodingOptions  # noqa: PLC0415
    from clickstream_generator.shell.registry import Registry  # noqa: PLC0415

    registry = Registry(url, *login) if url else None
    return EncodingOptions(name, registry, strategy, is_registering)


def _http(
    url: str,
    headers: Path | None,
    query: Path | None,
    ca_file: str | None,
    limits: tuple[int | None, int],
) -> HttpTarget:
    from clickstream_generator.shell.http_target import http_target  # noqa: PLC0415

    return http_target(url, headers, query, ca_file, *limits)


def _console() -> Console:
    """Return the console for messages; a line is not broken where it is no terminal."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE_CELLS
    return console


def _uuid(text: str | None) -> UUID | None:
    """Return a UUID from the command line."""
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise SimulationInvalid("--run-id", text, "it must be a UUID") from None


if __name__ == "__main__":
    main()
