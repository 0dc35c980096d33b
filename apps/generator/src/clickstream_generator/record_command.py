"""``clickstream record``: the run record and the ledger of a run of workers, from Kafka to files.

Owns the command's arguments. Heavy modules are imported inside the command, so that other commands
start fast.
"""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import Annotated
from uuid import UUID  # noqa: TC003  as above

import typer
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.errors import GeneratorError
from clickstream_generator.settings import PREFIX

__all__ = ["main", "record"]


def record(
    servers: Annotated[str, typer.Argument(help="Kafka's servers, HOST:PORT,HOST:PORT.")],
    truth: Annotated[Path, typer.Option(help="New folder for run record and ledger.")],
    run_id: Annotated[
        UUID | None,
        typer.Option(help="The run's id. Default: the only run that Kafka has."),
    ] = None,
    security_protocol: Annotated[
        str | None, typer.Option(envvar=f"{PREFIX}SECURITY_PROTOCOL", help="Such as SASL_SSL.")
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option(envvar=f"{PREFIX}CA_FILE", help="CA certificates.")
    ] = None,
    username: Annotated[
        str | None, typer.Option(envvar=f"{PREFIX}USERNAME", help="User name for SASL.")
    ] = None,
    username_file: Annotated[
        str | None, typer.Option(envvar=f"{PREFIX}USERNAME_FILE", help="File with the user name.")
    ] = None,
    password_file: Annotated[
        str | None, typer.Option(envvar=f"{PREFIX}PASSWORD_FILE", help="File with the password.")
    ] = None,
    sasl_mechanism: Annotated[
        str | None, typer.Option(envvar=f"{PREFIX}SASL_MECHANISM", help="Such as SCRAM-SHA-512.")
    ] = None,
) -> None:
    """Write the run record and the ledger of a run of workers: what generate and judge need."""
    from clickstream_generator.shell.kafka_target import kafka_settings  # noqa: PLC0415
    from clickstream_generator.shell.recorded_run import read_ledger, read_record  # noqa: PLC0415
    from clickstream_generator.shell.truth import TruthFolder  # noqa: PLC0415

    connection = {
        "bootstrap_servers": servers,
        "security_protocol": security_protocol,
        "ca_file": ca_file,
        "username": username,
        "username_file": username_file,
        "password_file": password_file,
        "sasl_mechanism": sasl_mechanism,
    }
    settings = kafka_settings(connection, {})
    folder = TruthFolder(truth)
    found = read_record(settings, run_id)
    entries = 0
    for rows in read_ledger(settings, found):
        folder.keep_ledger(rows)
        entries += len(rows)
    if found.ended_at is None:
        # Read again, so that the record has every revision whose events the ledger counts.
        found = read_record(settings, found.run_id)
    folder.keep_record(found)
    state = "still sends" if found.ended_at is None else "is over"
    sys.stdout.write(
        f"run {found.run_id} of {found.first.full_name} {state}: {len(found.revisions)} revisions"
        f" and {entries:,} ledger entries are in {truth}\n"
    )


def main() -> None:
    """Run the command; print an error as one line, and exit with 1 or, for an argument, 2."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(record)
    try:
        app()
    except (GeneratorError, OSError, SimulationInvalid) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2 if isinstance(error, SimulationInvalid) else 1)


if __name__ == "__main__":
    main()
