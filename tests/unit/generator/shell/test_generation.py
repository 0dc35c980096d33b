"""``clickstream generate``: which run it is, and what it refuses before it makes an event."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.core.own_catalog import Product
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.errors import OutputFailed, OutputRefused, RecordUnusable, WorldChanged
from clickstream_generator.shell import generation
from clickstream_generator.shell.generation import Request, generate
from clickstream_generator.shell.output import Output
from clickstream_generator.shell.progress import RunProgress
from clickstream_generator.shell.simulation_source import Overrides
from rich.console import Console
from run_folders import event_ids, json_lines, without_sent_at
from run_records import shared_worlds
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Generate = Callable[..., str]

OTHER_ID = UUID(int=9)
PRODUCTS = (
    Product('A"1', "Lämp", "Lamps", "Wood", 1999),
    Product("B-2", "Hat", "Hats", "Sand", 0),
    Product("C-3", "Cap", "Hats", "Sand", 5),
)


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with an endless simulation."""
    return _written(tmp_path / "simulation.yaml")


@pytest.fixture
def call(file: Path, tmp_path: Path) -> Generate:
    """Return a function that generates 400 events into a folder, and returns what it says."""

    def run(**changes: Any) -> str:  # noqa: ANN401  fields of the request
        wanted: dict[str, Any] = {
            "file": file,
            "record_file": None,
            "overrides": Overrides(events=400),
            "output": Output("jsonl", str(tmp_path / "data")),
            "start_seconds": START_SECONDS,
            "part_events": 50,
        }
        text = io.StringIO()
        generate(Request(**(wanted | changes)), Console(file=text, width=300))
        return text.getvalue()

    return run


def _written(path: Path, more: str = "", rate: int = 2000) -> Path:
    wanted = simulation(f"{{eventsPerSecond: {rate}}}", more, users=400)
    path.write_text(dump_simulation(wanted), encoding="utf-8")
    return path


def _record(folder: Path) -> RunRecord:
    return RunRecord.from_json((folder / "run.json").read_text("utf-8"), "")


def test_same_command_makes_the_same_run(call: Generate, tmp_path: Path) -> None:
    """File and start give the run's id and every event; the end gives only how many."""
    call()
    call(output=Output("jsonl", str(tmp_path / "b")))
    call(output=Output("jsonl", str(tmp_path / "c")), overrides=Overrides(events=800))

    lines = json_lines(tmp_path / "data")
    assert json_lines(tmp_path / "b") == lines
    assert set(lines) < set(json_lines(tmp_path / "c"))
    assert len(lines) == 400


def test_id_and_start_can_be_named(call: Generate, tmp_path: Path) -> None:
    """The named id is the run's; another start is another run."""
    call(run_id=OTHER_ID)
    call(output=Output("jsonl", str(tmp_path / "b")), start_seconds=START_SECONDS + 1)
    call(output=Output("jsonl", str(tmp_path / "c")))

    ids = [_record(tmp_path / name).run_id for name in ("data", "b", "c")]
    assert ids[0] == OTHER_ID
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("overrides", "more", "is_paced", "start"),
    [
        (Overrides(events=4000), "", False, -2.0),
        (Overrides(for_="5s"), "", False, -5.0),
        (Overrides(events=100), "  backfill: {days: 1}\n", False, 0.0),
        (Overrides(events=1), "", True, 0.0),
    ],
)
def test_fast_run_ends_about_now(
    call: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: Overrides,
    more: str, *, is_paced: bool, start: float,
) -> None:  # fmt: skip
    """Without a start, a fast run ends about now; a paced one, and history, begin from now."""
    monkeypatch.setattr(generation, "time", SimpleNamespace(
        time=lambda: START_SECONDS + 0.7, monotonic=time.monotonic
    ))  # fmt: skip
    _written(tmp_path / "simulation.yaml", more)
    call(overrides=overrides, start_seconds=None, is_paced=is_paced)

    assert _record(tmp_path / "data").start_seconds == START_SECONDS + start


def test_run_that_is_over_stays(call: Generate, tmp_path: Path) -> None:
    """The same command again reports that there is nothing to do, and changes nothing."""
    assert "400 events of run " in call()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}

    assert "has already ended; nothing to do" in call(start_seconds=None)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"output": "csv"}, "holds files of the format jsonl, not csv"),
        ({"run_id": OTHER_ID}, "holds the run "),
        ({"start_seconds": 5.0}, "holds a start at Unix second 1764000000.0, not 5.0"),
        ({"part_events": 60}, "holds --part-events 50, not 60"),
        ({"overrides": Overrides(events=401)}, "which differs in spec.stopAfter"),
        ({"overrides": Overrides(events=400, rate=7)}, "which differs in spec.rate"),
        ({"form": FORMS["ga4"]}, "holds records in the form native, not ga4"),
        ({"products": PRODUCTS, "start_seconds": None}, "with another catalog"),
    ],
)
def test_folder_of_another_run_is_refused(
    call: Generate, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """A folder with another run is refused with what differs, and nothing is changed."""
    call()
    before = event_ids(tmp_path / "data")
    if "output" in changes:
        changes = {"output": Output(changes["output"], str(tmp_path / "data"))}

    with pytest.raises(OutputRefused) as refused:
        call(**changes)
    assert says in str(refused.value)
    assert str(tmp_path / "data") in str(refused.value)
    assert event_ids(tmp_path / "data") == before


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"overrides": Overrides()}, "--output"),
        ({"overrides": Overrides(events=1, for_="1s")}, "--events"),
    ],
)
def test_unfit_options_are_named(
    call: Generate, tmp_path: Path, changes: dict[str, Any], path: str
) -> None:
    """Options that contradict each other are refused before a folder is made."""
    with pytest.raises(SimulationInvalid) as refused:
        call(**changes)
    assert refused.value.path == path
    assert not (tmp_path / "data").exists()


def test_folder_holds_records_of_a_form(call: Generate, tmp_path: Path) -> None:
    """JSON lines hold records of the form; files with columns refuse one."""
    call(form=FORMS["cloudevents"])
    call(output=Output("jsonl", str(tmp_path / "b")))
    wrapped = [json.loads(line) for line in json_lines(tmp_path / "data")]
    native = sorted(json.loads(line)["event_id"] for line in json_lines(tmp_path / "b"))
    assert sorted(row["id"] for row in wrapped) == native

    with pytest.raises(SimulationInvalid, match="--form: 'ga4' is not allowed; it must be native"):
        call(output=Output("csv", str(tmp_path / "c")), form=FORMS["ga4"])


def test_own_catalog_is_in_the_record(call: Generate, tmp_path: Path) -> None:
    """Events have the own products, and the record makes the same events again."""
    call(products=PRODUCTS)
    call(output=Output("jsonl", str(tmp_path / "plain")))
    again = Output("jsonl", str(tmp_path / "again"))
    call(output=again, file=None, record_file=tmp_path / "data" / "run.json",
         overrides=Overrides(), start_seconds=None)  # fmt: skip

    lines = json_lines(tmp_path / "data")
    assert json_lines(tmp_path / "again") == lines
    seen = [json.loads(line) for line in lines]
    known = {(row.id, row.name, row.brand, row.category, row.price_minor) for row in PRODUCTS}
    viewed = {
        (row["product_id"], row["product_name"], row["brand"], row["category"], row["price_minor"])
        for row in seen
        if "product_id" in row
    }
    assert viewed
    assert viewed <= known
    assert _record(tmp_path / "data").products == PRODUCTS
    assert _record(tmp_path / "data").run_id != _record(tmp_path / "plain").run_id
    assert _record(tmp_path / "data").fingerprint != _record(tmp_path / "plain").fingerprint


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_broken_records_need_lines(call: Generate, tmp_path: Path, form: str) -> None:
    """Faults without columns are refused where files have columns, and written as lines."""
    _written(tmp_path / "simulation.yaml", "  faults: {corruptPermille: 500}\n")

    with pytest.raises(SimulationInvalid, match=r"spec\.faults\.corruptPermille: 500 .* jsonl"):
        call(output=Output(form, str(tmp_path / "data")))
    call()
    assert len(json_lines(tmp_path / "data")) > 500


def test_record_makes_the_run_again(
    call: Generate, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """From its record alone, a run is made again: to another form, and to standard output."""
    call()
    record = tmp_path / "data" / "run.json"
    again = {"file": None, "record_file": record, "overrides": Overrides(), "start_seconds": None}
    call(**again, output=Output("parquet", str(tmp_path / "b")))
    call(**again, output=Output("stdout"), part_events=None, truth=tmp_path / "truth")

    assert event_ids(tmp_path / "b") == event_ids(tmp_path / "data")
    lines = capsysbinary.readouterr().out.splitlines()
    assert sorted(map(without_sent_at, lines)) == json_lines(tmp_path / "data")
    assert _record(tmp_path / "truth").first == _record(tmp_path / "data").first
    assert "nothing to do" in call(**(again | {"output": Output("parquet", str(tmp_path / "b"))}))


def test_other_record_is_refused(call: Generate, tmp_path: Path) -> None:
    """A record whose run is not the folder's, or has other revisions, is refused."""
    call()
    record = tmp_path / "data" / "run.json"
    content = json.loads(record.read_text("utf-8"))
    content["revisions"] = [
        {"until_seconds": 1.0, "from_seconds": 1.0, "document": content["document"]}
    ]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(OutputRefused, match="with other revisions"):
        call(file=None, record_file=other, overrides=Overrides(), start_seconds=None)


def test_unusable_record_is_named(call: Generate, tmp_path: Path, file: Path) -> None:
    """A record that is missing, invalid or of another world is refused with its name."""
    again = {"file": None, "overrides": Overrides(), "start_seconds": None}
    for path in (tmp_path / "none", file):
        with pytest.raises(RecordUnusable, match=str(path)):
            call(**again, record_file=path)
    call()
    record = tmp_path / "data" / "run.json"
    content = json.loads(record.read_text("utf-8"))
    content["fingerprint"]["libraries"]["faker"] = "1.0"
    content["fingerprint"]["world"] = "other"
    record = tmp_path / "other.json"
    record.write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(WorldChanged, match=r"faker 1\.0 ->"):
        call(**again, record_file=record, output=Output("jsonl", str(tmp_path / "b")))


def test_edit_while_down_becomes_a_revision(
    call: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paced run applies an edit that was made while it was down."""

    class _Killed(BaseException):
        pass

    def die(_bar: object) -> None:
        raise _Killed

    paced = {"overrides": Overrides(events=200), "is_paced": True, "start_seconds": None}
    with monkeypatch.context() as patch:
        patch.setattr(RunProgress, "show", die)
        with pytest.raises(_Killed):
            call(**paced)
    _written(tmp_path / "simulation.yaml", rate=3000)

    call(**paced)
    (revision,) = _record(tmp_path / "data").revisions
    assert revision.simulation.spec.rate.per_second == 3000
    assert sum(event_ids(tmp_path / "data").values()) == 200


@pytest.mark.parametrize(
    ("cause", "raised"),
    [(BrokenPipeError(), nullcontext()), (OSError(28, "full"), pytest.raises(OutputFailed))],
)
def test_closed_output_ends_run(
    call: Generate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cause: OSError,
    raised: AbstractContextManager[object],
) -> None:
    """A reader that has gone ends the run without an error, a full disk with one."""
    target = (tmp_path / "closed").open("wb")

    class _Closed(io.BytesIO):
        def write(self, _data: object) -> int:
            raise cause

    stand_in = SimpleNamespace(
        buffer=_Closed(), isatty=lambda: False, fileno=target.fileno, write=lambda _: None
    )
    monkeypatch.setattr(sys, "stdout", stand_in)
    with raised:
        assert call(output=Output("stdout"), part_events=None) == ""
    assert os.path.samestat(os.fstat(target.fileno()), Path(os.devnull).stat())
    target.close()
