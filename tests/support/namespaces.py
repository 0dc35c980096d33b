"""Actions with simulations of one name in several namespaces.

Owns how a second one is run beside the first, and that the figures of each are separate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from clickstream_contract.document import parse_simulation
from generators import Broker, GeneratorRun

if TYPE_CHECKING:
    from invariants import Noise
    from scenario import Stage

__all__ = ["RunBeside", "in_namespace"]

_WITHIN_SECONDS = 300
_SHOWN = """
SELECT kpis.visitors, kpis.sessions, kpis.orders, (kpis.revenue * 100)::bigint, (
    SELECT sum(events) FROM mart.traffic_day WHERE simulation = kpis.simulation
) FROM mart.kpis AS kpis WHERE simulation = %s
"""
_TRUE = """
SELECT count(DISTINCT user_id), count(DISTINCT session_id), count(order_id),
    coalesce(sum(value_minor) FILTER (WHERE event_name = 'purchase'), 0), count(*)
FROM raw.events WHERE run_id = %s
"""


def in_namespace(text: str, namespace: str) -> str:
    """Return a simulation's text with a namespace."""
    return text.replace("metadata: {", f"metadata: {{namespace: {namespace}, ", 1)


@dataclass(frozen=True)
class RunBeside:
    """A simulation with the name of the one that runs, in another namespace.

    Attributes:
        text: The simulation, which comes to an end as the one that runs does.
    """

    text: str
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Run it to its end, wait until both are stored, and compare the figures of each."""
        pipeline = stage.pipeline
        simulation = parse_simulation(self.text)
        folder = pipeline.state.folder(f"generator-{simulation.namespace}")
        run = GeneratorRun(Broker.of(pipeline.kafka), folder, simulation, uuid4())
        try:
            run.start().must_end(_WITHIN_SECONDS)
        finally:
            run.stop()
        pipeline.wait_for_generator(_WITHIN_SECONDS)
        first = parse_simulation(pipeline.begun_text)
        said = []
        for name, run_id in (
            (first.full_name, pipeline.run_id),
            (simulation.full_name, run.run_id),
        ):
            pipeline.drain(run_id)
            shown, true = pipeline.rows(_SHOWN, name), pipeline.rows(_TRUE, str(run_id))
            assert shown == true, name
            said.append(f"{name}: {shown[0][0]} visitors")
        assert first.name == simulation.name
        stage.figures.faults += 1
        stage.figures.shown = ", ".join(said)
