"""The run record, from which the events of a run can be made again.

Owns the record's content and its JSON. The simulation at the start, the start time, the run's id
and the revisions determine the events. The rest of the record shows whether this process would make
the same events, and how far the run has got.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml
from clickstream_contract.document import dump_simulation, simulation_from_resource
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.fingerprint import Fingerprint
from clickstream_generator.core.own_catalog import products_from_json, products_to_json
from clickstream_generator.errors import RecordUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.own_catalog import Product

__all__ = ["Layout", "RunRecord"]

_KIND = "clickstream-run"
_FORMAT = 1


@dataclass(frozen=True)
class Layout:
    """The layout of a run in a folder of files.

    Attributes:
        format: ``jsonl``, ``csv`` or ``parquet``.
        part_events: Number of a shard's events in one part.
        record_form: The form of the records: a name in ``--form``, or the hash of a mapping.
    """

    format: str
    part_events: int
    record_form: str = "native"


@dataclass(frozen=True)
class RunRecord:
    """A run.

    Attributes:
        run_id: The run's id; the ids of its events follow from it.
        first: The simulation at the start, with every default.
        start_seconds: When the live part starts, Unix seconds; history comes before it.
        fingerprint: The fingerprint of the run's world and random streams.
        version: The version of the generator that began the run.
        revisions: Every change, with the simulated time at which it took effect.
        ends_at: The number of each shard's last event, by shard, once the end is decided.
        began_at: When the process began the run, ISO 8601.
        ended_at: When all records were written, ISO 8601; ``None`` before.
        layout: The run's layout in its folder; ``None`` without a folder.
        products: The shop's own products; empty for those of the simulation.
    """

    run_id: UUID
    first: Simulation
    start_seconds: float
    fingerprint: Fingerprint
    version: str
    began_at: str
    revisions: tuple[Revision, ...] = ()
    ends_at: Mapping[int, int] = field(default_factory=dict)
    ended_at: str | None = None
    layout: Layout | None = None
    products: tuple[Product, ...] = ()

    @property
    def running(self) -> Simulation:
        """The simulation after the last revision."""
        return self.revisions[-1].simulation if self.revisions else self.first

    def to_json(self) -> str:
        """Return the record as a JSON document."""
        return json.dumps(self.content(), ensure_ascii=False, indent=1)

    def content(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        content = {
            "kind": _KIND,
            "format": _FORMAT,
            "run_id": str(self.run_id),
            "simulation": self.first.full_name,
            "seed": self.first.spec.seed,
            "shards": self.first.spec.shards,
            "start_seconds": self.start_seconds,
            "began_at": self.began_at,
            "ended_at": self.ended_at,
            "ends_at": {str(number): last for number, last in self.ends_at.items()},
            "version": self.version,
            "fingerprint": self.fingerprint.to_json(),
            "layout": None if self.layout is None else vars(self.layout),
            "document": _resource(self.first),
            "revisions": [
                {
                    "until_seconds": row.until_seconds,
                    "from_seconds": row.from_seconds,
                    "document": _resource(row.simulation),
                }
                for row in self.revisions
            ],
        }
        if self.products:
            content["products"] = products_to_json(self.products)
        return content

    @classmethod
    def from_json(cls, text: str, place: str) -> RunRecord:
        """Read the document of :meth:`to_json`.

        Args:
            text: The document.
            place: The file, for the error.

        Raises:
            RecordUnusable: The document is not a run record.
        """
        try:
            content = json.loads(text)
            if content["kind"] != _KIND or content["format"] != _FORMAT:
                raise RecordUnusable(
                    place,
                    f"kind {content['kind']!r}, format {content['format']!r}",
                    f"name a {_KIND} of format {_FORMAT}",
                )
            _check_layout(content, place)
            return cls._read(content)
        except (LookupError, ValueError, TypeError, AttributeError, SimulationInvalid) as error:
            raise RecordUnusable(
                place, f"{type(error).__name__}: {error}", "name a run record"
            ) from None

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> RunRecord:
        layout = content["layout"]
        return cls(
            run_id=UUID(content["run_id"]),
            first=simulation_from_resource(content["document"]),
            start_seconds=float(content["start_seconds"]),
            fingerprint=Fingerprint.from_json(content["fingerprint"]),
            version=content["version"],
            began_at=content["began_at"],
            revisions=tuple(
                Revision(
                    row["until_seconds"],
                    row["from_seconds"],
                    simulation_from_resource(row["document"]),
                )
                for row in content["revisions"]
            ),
            ends_at={int(number): int(last) for number, last in content["ends_at"].items()},
            ended_at=content["ended_at"],
            layout=None if layout is None else Layout(**layout),
            products=products_from_json(content.get("products", ())),
        )


def _check_layout(content: Mapping[str, Any], place: str) -> None:
    """Raise an error for the record of an earlier version, whose layout has other members."""
    wanted = {row.name for row in fields(Layout)}
    if content["layout"] is not None and content["layout"].keys() != wanted:
        raise RecordUnusable(
            place,
            f"a layout of {', '.join(content['layout'])}, written by version {content['version']}",
            f"use that version, or start a new run; this version needs {', '.join(sorted(wanted))}",
        )


def _resource(simulation: Simulation) -> dict[str, Any]:
    """Return a simulation as a resource of JSON values."""
    resource: dict[str, Any] = yaml.safe_load(dump_simulation(simulation))
    return resource
