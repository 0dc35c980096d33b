"""The command ``clickstream bench``.

Owns the command's arguments, and the output of figures. Heavy modules are imported inside the
commands, so that ``clickstream status`` starts fast.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from clickstream_contract.topics import EVENTS

__all__ = ["app"]

app = typer.Typer(help="Measure the components on this machine.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_Latencies = Annotated[bool, typer.Option(help="Also hold steady rates, a minute each.")]


@app.command()
def generator(*, as_json: _Json = False) -> None:
    """Compare the generator with the broker's limit, and with Faker per event."""
    from clickstream_bench.generator import measure_generator

    _show(measure_generator(), as_json=as_json)


@app.command()
def outputs(
    *,
    events: Annotated[
        int, typer.Option(help="Number of events for each output.", min=10_000)
    ] = 1_000_000,
    as_json: _Json = False,
) -> None:
    """Compare the outputs, encodings and forms of `clickstream generate`."""
    from clickstream_bench.outputs import measure_outputs

    _show(measure_outputs(events), as_json=as_json)


@app.command()
def console(*, as_json: _Json = False) -> None:
    """Send the console 200 requests per second while events arrive."""
    from clickstream_bench.console import measure_console

    _show(measure_console(), as_json=as_json)


@app.command()
def pacing(*, as_json: _Json = False) -> None:
    """Hold 50, 5,000 and 100,000 events/s for a minute each."""
    from clickstream_bench.pacing import measure_pacing

    _show(measure_pacing(), as_json=as_json)


@app.command()
def scale(
    *,
    simulations: Annotated[
        int, typer.Option(help="Number of simulations, of 16 shards each.", min=10)
    ] = 1_000,
    workers: Annotated[int, typer.Option(help="Workers of each.", min=1, max=8)] = 1,
    as_json: _Json = False,
) -> None:
    """Let the operator run many simulations on a real API server, without nodes."""
    from clickstream_bench.scale import measure_scale

    _show(measure_scale(simulations, workers), as_json=as_json)


@app.command()
def streaming(
    *,
    latencies: _Latencies = True,
    windows: Annotated[
        Path,
        typer.Option(
            help="The script with Spark's own windows, from a clone.", exists=True, dir_okay=False
        ),
    ] = Path("examples/pipelines/spark-windows/windows.py"),
    events: Annotated[
        int, typer.Option(help="Number of events in the topic.", min=1_000_000)
    ] = 2_000_000,
    partitions: Annotated[
        int, typer.Option(help="Partitions of the events' topic.", min=EVENTS.partitions, max=200)
    ] = EVENTS.partitions,
    as_json: _Json = False,
) -> None:
    """Drain a filled topic, compared with Spark's limit and Spark's windows; hold steady rates."""
    from clickstream_bench.streaming import measure_streaming

    _show(
        measure_streaming(windows, events, partitions=partitions, latencies=latencies),
        as_json=as_json,
    )


@app.command()
def views(
    *,
    events: Annotated[int, typer.Option(help="Number of events.", min=100_000)] = (10_000_000),
    dashboards: Annotated[Path, typer.Option(help="Folder of dashboards, as JSON.")] = Path(
        "helm/clickstream/dashboards"
    ),
    as_json: _Json = False,
) -> None:
    """Measure every view and every dashboard query, in milliseconds."""
    from clickstream_bench.views import measure_views

    _show(measure_views(events, dashboards), as_json=as_json)


@app.command()
def soak(
    *,
    minutes: Annotated[float, typer.Option(help="Duration in minutes.", min=1)] = 20,
    rate: Annotated[int, typer.Option(help="Events per second.", min=1)] = 5_000,
    as_json: _Json = False,
) -> None:
    """Hold a rate, and measure memory and latency."""
    from clickstream_bench.soak import measure_soak

    _show(measure_soak(minutes, rate), as_json=as_json)


def _show(figures: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<60} {value:>14,.3f}")
