"""``clickstream judge``: compares the tables of any pipeline with the truth of a run.

Owns the command's arguments, its outputs and its exit codes: 0 the result agrees, 1 it differs, 2
it cannot be judged.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from clickstream_generator.api import compute_in_one_thread

from clickstream_judge.errors import JudgeError, JudgeFailed, MappingInvalid

if TYPE_CHECKING:
    from clickstream_judge.core.mapping import Given
    from clickstream_judge.core.report import Report

__all__ = ["app", "judge", "main"]

_WIDE_CELLS = 200

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def judge(
    mapping: Annotated[
        Path | None,
        typer.Argument(
            help="The mapping: which table holds what, in YAML. Default: the project's raw.events."
        ),
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write the report as JSON; - prints only it.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the report as JUnit XML.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Write the counts and the first minute as one line of JSON.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, max=1000, help="Most examples of each difference.")
    ] = 5,
    truth: Annotated[
        Path | None, typer.Option(help="The run's folder, instead of the mapping's truth.")
    ] = None,
    connection: Annotated[
        str | None, typer.Option(help="PostgreSQL, instead of the mapping's connection.")
    ] = None,
    username_file: Annotated[
        Path | None, typer.Option(help="With --connection: file with the user's name.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="With --connection: file with the password.")
    ] = None,
    keeps: Annotated[
        str | None, typer.Option(help="How long the table keeps a row, such as 30d.")
    ] = None,
) -> None:
    """Compare a pipeline's tables with the truth of a run; exit 0 only if they agree."""
    from clickstream_judge.core.mapping import Given  # noqa: PLC0415

    report_file = None if json_file in {None, "-"} else Path(str(json_file))
    for path in (report_file, junit, html, summary):
        _check_folder(path)
    given = Given(_whole(truth), connection, _whole(username_file), _whole(password_file), keeps)
    report = _report(mapping, given, examples)
    _write_files(report, report_file, junit, html, summary)
    if json_file == "-":
        sys.stdout.buffer.write(_json(report))
    else:
        _show(report)
    raise typer.Exit(report.exit_code)


def _report(mapping: Path | None, given: Given, examples: int) -> Report:
    """Return the report; see :func:`judge`."""
    from rich.console import Console  # noqa: PLC0415

    from clickstream_judge.core.mapping import parse_mapping  # noqa: PLC0415
    from clickstream_judge.shell import judging  # noqa: PLC0415

    progress = Console(stderr=True, markup=False, emoji=False, highlight=False)
    text, folder = _read(mapping)
    try:
        with progress.status("reading the truth") as status:
            return judging.judge(
                parse_mapping(text, given), folder, examples=examples, show=status.update
            )
    except JudgeError:
        raise
    except Exception as error:  # a defect of the judge is no difference: its exit code is not 1
        traceback.print_exc()
        raise JudgeFailed(type(error).__name__) from error


def _show(report: Report) -> None:
    """Print the report for people."""
    from rich.console import Console  # noqa: PLC0415

    from clickstream_judge.shell.display import show_report  # noqa: PLC0415

    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE_CELLS
    show_report(console, report)


def _write_files(
    report: Report,
    json_file: Path | None,
    junit: Path | None,
    html: Path | None,
    summary: Path | None,
) -> None:
    """Write the report's files that are asked for."""
    from clickstream_judge.core.pages import html_page, junit_xml  # noqa: PLC0415
    from clickstream_judge.core.summary import summary as summarized  # noqa: PLC0415

    if json_file is not None:
        _write(json_file, _json(report))
    if junit is not None:
        _write(junit, junit_xml(report))
    if html is not None:
        _write(html, html_page(report).encode())
    if summary is not None:
        _write(summary, f"{summarized(report).to_json()}\n".encode())


def _json(report: Report) -> bytes:
    return (json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n").encode()


def _read(mapping: Path | None) -> tuple[str, Path]:
    """Return the mapping's text, and the folder in which its relative paths begin."""
    if mapping is None:
        from clickstream_judge.core.own_events import OWN_EVENTS  # noqa: PLC0415

        return OWN_EVENTS, Path.cwd()
    try:
        return mapping.read_text(encoding="utf-8"), mapping.absolute().parent
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MappingInvalid(
            str(mapping), None, f"the mapping cannot be read ({reason}); name its file"
        ) from None


def _whole(path: Path | None) -> str | None:
    """Return an option's path, which begins in the working folder and not in the mapping's."""
    return None if path is None else str(path.absolute())


def _check_folder(path: Path | None) -> None:
    """Raise an error now, not after the long part, if a report cannot be written."""
    if path is not None and not path.absolute().parent.is_dir():
        raise MappingInvalid(
            str(path), None, "the report cannot be written (there is no such folder); name another"
        )


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise MappingInvalid(
            str(path), None, f"the report cannot be written ({error.strerror}); name another file"
        ) from None


def main() -> None:
    """Run the command; print an error as one line, and exit with its code."""
    compute_in_one_thread(os.environ)
    try:
        app()
    except JudgeError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
