"""The ``clickstream`` command.

Owns its arguments, its error output and its exit codes: 0 success, 1 a problem with the environment
or the data, 2 invalid arguments or an invalid simulation.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import date
from importlib.metadata import entry_points, version
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.libpq import forget_libpq
from clickstream_contract.topics import EVENTS
from clickstream_generator.api import Overrides, compute_in_one_thread, read_simulation
from clickstream_generator.check_command import check_answer
from clickstream_generator.command import generate
from clickstream_generator.errors import GeneratorError
from clickstream_generator.record_command import record
from clickstream_generator.score_command import score_incidents
from clickstream_generator.truth_command import truth
from clickstream_judge.command import judge
from clickstream_judge.errors import JudgeError
from clickstream_streaming.api import rebuild, record_verification, wait_for_arrival
from clickstream_streaming.api import verify as verify_tables
from clickstream_streaming.errors import StreamingError
from rich.console import Console

from clickstream_local.backup import back_up, check_restorable
from clickstream_local.display import live_line, show_verification
from clickstream_local.doctor import examine
from clickstream_local.errors import LocalError
from clickstream_local.figures import read_live
from clickstream_local.postgres import DATABASE, OWNER, READER, STUDENT, VERIFIER, binary
from clickstream_local.processes import stop_remembered
from clickstream_local.rejects import list_rejects, mended_from, replay
from clickstream_local.session import Session
from clickstream_local.shipped import shipped_simulations, simulation_file
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_local.tables import database, running_pipeline, running_postgres

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

__all__ = ["main"]

_STOP_SECONDS = 240.0
_WIDE_CELLS = 200
_SHOWN_REJECTS, _MOST_REJECTS = 20, 100_000
_SHOWN_BYTES = 80

app = typer.Typer(
    help="A web shop's clickstream through Kafka, Spark and PostgreSQL, on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for _point in entry_points(group="clickstream.commands"):
    app.add_typer(_point.load(), name=_point.name)

app.command("check-answer")(check_answer)
app.command()(generate)
app.command()(judge)
app.command()(record)
app.command("score-incidents")(score_incidents)
app.command()(truth)

rejects_app = typer.Typer(help="Rejected records.", no_args_is_help=True)
app.add_typer(rejects_app, name="rejects")

_StateDir = Annotated[Path, typer.Option(help="Folder for all state.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STATE_DIR = Path(".clickstream")


def _show_version(is_asked: bool) -> None:  # noqa: FBT001  Typer passes it by position
    if is_asked:
        typer.echo(f"clickstream {version('clickstream')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version, and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    os.environ["CLICKSTREAM_DEBUG"] = "1" if debug else ""


@app.command()
def up(
    file: Annotated[
        Path,
        typer.Argument(
            help="The simulation: a ClickstreamSimulation in YAML, or the name of one that is"
            f" shipped with the command: {', '.join(shipped_simulations())}."
        ),
    ] = Path("storefront"),
    for_: Annotated[
        str | None, typer.Option("--for", help="End after this time, such as 60s or 10m.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Events per second; overrides the file.")] = None,
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Start all services, and run the simulation until its end or Ctrl-C."""
    simulation = read_simulation(simulation_file(file), Overrides(for_, rate))
    _check_is_stored(simulation)
    is_right = Session(StateFolder(state_dir.absolute()), _console(), simulation).run()
    raise typer.Exit(0 if is_right else 1)


@app.command()
def status(*, as_json: _Json = False, state_dir: _StateDir = _STATE_DIR) -> None:
    """Show what is running, with its current figures."""
    state = StateFolder(state_dir.absolute())
    running = running_pipeline(state)
    postgres = running_postgres(state, running["ports"]["postgres"])
    connection = postgres.connect(READER)
    url = f"http://127.0.0.1:{running['ports'].get('generator', 0)}/metrics"
    figures = read_live(connection, running["simulation"], url)
    connection.close()
    if as_json:
        shown = vars(figures) | {"funnel": [vars(step) for step in figures.funnel]}
        typer.echo(json.dumps(running | {"figures": shown}, default=str))
        return
    typer.echo(state.describe())
    typer.echo(live_line(time.time() - running["started_at"], figures))


@app.command()
def verify(
    *,
    as_json: _Json = False,
    wait: Annotated[
        int, typer.Option(help="Wait up to this many seconds for events under way.", min=0)
    ] = 0,
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Verify every table against the ledger; exit 0 only without a defect."""
    with database(StateFolder(state_dir.absolute())) as postgres:
        connection = postgres.connect(VERIFIER)
        missing = wait_for_arrival(connection, wait) if wait else 0
        report = verify_tables(connection)
        record_verification(connection, report)
        connection.close()
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        show_verification(_console(), report)
    if missing:
        typer.echo(f"{missing:,} events are still under way after {wait} s", err=True)
    raise typer.Exit(0 if report.is_clean() and not missing else 1)


@app.command()
def down(state_dir: _StateDir = _STATE_DIR) -> None:
    """Stop the pipeline of the folder in order; clean up after a crash."""
    state = StateFolder(state_dir.absolute())
    running = state.recall()
    if running is None:
        typer.echo("nothing is running")
        return
    if stop_remembered(running, _STOP_SECONDS):
        typer.echo("stopped")
        return
    left = [row for row in reversed(running["services"]) if stop_remembered(row, _STOP_SECONDS)]
    state.forget()
    typer.echo(f"cleaned up after a crash: {len(left)} processes ended")


@app.command()
def psql(
    command: Annotated[str | None, typer.Option("-c", help="Run this command and exit.")] = None,
    *,
    student: Annotated[
        bool, typer.Option("--student", help="Use the login of students, who see no truth.")
    ] = False,
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Open psql on the tables, as a read-only user."""
    login = STUDENT if student else READER
    with database(StateFolder(state_dir.absolute())) as postgres:
        arguments = [str(binary("psql")), "-h", postgres.host, "-p", str(postgres.port)]
        arguments += ["-U", login, "-d", DATABASE, *(["-c", command] if command else [])]
        password = postgres.state.secret(login).read_text(encoding="utf-8")
        child = os.spawnve(  # noqa: S606  no shell is wanted
            os.P_WAIT, arguments[0], arguments, {**os.environ, "PGPASSWORD": password}
        )
    raise typer.Exit(child)


@app.command("rebuild")
def rebuild_marts(
    since: Annotated[
        str | None, typer.Option("--from", help="First day, such as 2026-01-31, UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Day after the last one, UTC.")] = None,
    *,
    as_json: _Json = False,
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Recompute the marts and the totals of the ledger, also while the stream runs."""
    days = _day("--from", since), _day("--to", until)
    with database(StateFolder(state_dir.absolute())) as postgres:
        connection = postgres.connect(OWNER)
        changed = rebuild(connection, *days)
        connection.close()
    if as_json:
        typer.echo(json.dumps(changed))
        return
    for table, rows in changed.items():
        typer.echo(f"{table:<28} {rows:>10,} rows changed")


@rejects_app.command("list")
def rejects_list(
    reason: Annotated[str | None, typer.Option(help="Only rejects with this reason.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=_MOST_REJECTS,
            help="Show at most this many, the latest; default 20, with --json 100000.",
        ),
    ] = None,
    *,
    as_json: _Json = False,
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Show rejected records; with --json one per line, to correct and replay them."""
    with database(StateFolder(state_dir.absolute())) as postgres:
        connection = postgres.connect(READER)
        found = list_rejects(
            connection, reason, limit or (_MOST_REJECTS if as_json else _SHOWN_REJECTS)
        )
        connection.close()
    for row in found:
        if as_json:
            typer.echo(json.dumps(row.to_json()))
        else:
            start = repr((row.payload or b"")[:_SHOWN_BYTES])[2:-1]
            place = f"{row.topic}/{row.partition}@{row.offset}"
            typer.echo(f"{row.arrived_at}  {place}  {row.rule:<28} {start}")


@rejects_app.command("replay")
def rejects_replay(
    file: Annotated[
        Path | None, typer.Argument(help="Corrected rejects, in the format of `list --json`.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Without a file: all rejects with this reason, unchanged.")
    ] = None,
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Send rejects again while `clickstream up` runs; the stream validates them again."""
    if (file is None) == (reason is None):
        raise SimulationInvalid("rejects replay", None, "give either FILE or --reason")
    state = StateFolder(state_dir.absolute())
    running = running_pipeline(state)
    connection = running_postgres(state, running["ports"]["postgres"]).connect(OWNER)
    if file is None:
        chosen = list_rejects(connection, reason, _MOST_REJECTS)
    else:
        chosen = mended_from(file.read_text(encoding="utf-8").splitlines())
    count = replay(connection, f"127.0.0.1:{running['ports']['kafka']}", chosen)
    connection.close()
    typer.echo(f"{count} records sent again")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Target folder; it must be empty or not exist.")],
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Write the tables and their Kafka offsets into a folder."""
    with database(StateFolder(state_dir.absolute())) as postgres:
        manifest = back_up(postgres, folder.absolute())
    typer.echo(f"{folder}: {manifest['bytes']:,} bytes, taken at {manifest['taken_at']}")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    state_dir: _StateDir = _STATE_DIR,
) -> None:
    """Restore a backup into a folder without a database; `clickstream up` continues from it."""
    state = StateFolder(state_dir.absolute())
    manifest = check_restorable(folder.absolute(), state)
    with state.lock():
        stack = Stack(state, Console(stderr=True), lambda _text: None)
        try:
            is_same = stack.restore_postgres(folder.absolute(), manifest)
        finally:
            stack.stop()
    start = "from the backup's offsets" if is_same else "from the beginning of Kafka's topics"
    typer.echo(f"restored the state of {manifest['taken_at']}; the stream reads {start}")


@app.command()
def doctor(state_dir: _StateDir = _STATE_DIR) -> None:
    """Check this machine, and show what is missing."""
    is_fine = True
    for finding in examine(os.environ, state_dir):
        is_fine &= finding.is_fine
        typer.echo(f"{'ok ' if finding.is_fine else 'BAD'}  {finding.what}: {finding.says}")
    raise typer.Exit(0 if is_fine else 1)


def _check_is_stored(simulation: Simulation) -> None:
    """Raise an error if the stream would not read the simulation's events."""
    output = simulation.spec.event_output
    if not output.is_stored:
        raise SimulationInvalid(
            "spec.output.topic",
            output.topic,
            f"the stream of `clickstream up` reads {EVENTS.name} only: leave spec.output out, or "
            "send only the events with `clickstream generate FILE --paced --output kafka:SERVERS`",
        )


def _day(name: str, text: str | None) -> date | None:
    """Return a day from the command line."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise SimulationInvalid(name, text, "it must be a day such as 2026-01-31") from None


def _console() -> Console:
    """Return the console; without a terminal it does not wrap lines."""
    # No markup: a product's name may contain [/red] or :tada:.
    console = Console(markup=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(markup=False, emoji=False, width=_WIDE_CELLS)


def main() -> None:
    """Run the command; print an error as one line, and exit with its code."""
    compute_in_one_thread(os.environ)
    if sys.argv[1:2] != ["judge"]:  # it connects to a database of the user's, by the user's means
        forget_libpq(os.environ)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Replace characters that the terminal's encoding lacks.
            stream.reconfigure(errors="replace")
    try:
        app()
    except (JudgeError, SimulationInvalid) as error:
        code = _say(error, 2)
    except (LocalError, GeneratorError, StreamingError, OSError) as error:
        code = _say(error, 1)
    sys.exit(code)


def _say(error: Exception, code: int) -> int:
    if os.environ.get("CLICKSTREAM_DEBUG"):
        raise error
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
    return code


if __name__ == "__main__":
    main()
