"""``clickstream bench``: what it can measure, and how figures are printed.

Owns the command's arguments. It does not know how anything is measured.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from clickstream_bench.generator import measure_generator
from clickstream_bench.pacing import measure_pacing
from clickstream_bench.streaming import measure_streaming

__all__ = ["app"]

app = typer.Typer(help="Measure the components on this machine.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.command()
def generator(*, as_json: _Json = False) -> None:
    """Compare the generator with the broker's ceiling and with Faker per event."""
    _show(measure_generator(), as_json=as_json)


@app.command()
def pacing(*, as_json: _Json = False) -> None:
    """Hold 50, 5,000 and 100,000 events/s for a minute each."""
    _show(measure_pacing(), as_json=as_json)


@app.command()
def streaming(*, as_json: _Json = False) -> None:
    """Drain a filled topic, against Spark's own ceiling; then hold steady rates."""
    _show(measure_streaming(), as_json=as_json)


def _show(figures: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<42} {value:>14,.3f}")
