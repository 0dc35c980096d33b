"""The whole judgement over files: planted defects are found, clean data raises no alarm."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.mapping import parse_mapping
from clickstream_judge.errors import JudgeError, TruthUnusable
from clickstream_judge.shell.judging import judge
from judged import AGGREGATE, COLUMNS, judged, make_run, shared_runs, sums_by_minute
from planted_defects import REJECTS, defects, problems, rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_judge.core.report import Report
    from judged import Run

QUICK = (
    "a range of one shard", "valid events put aside", "events put aside and stored, too",
    "two countries swapped", "a shift that changes by an hour",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_world() -> Iterator[None]:
    with shared_runs():
        yield


def _json_lines(run: Run) -> list[bytes]:
    names = [name for name in run.clean.column_names if name != "items"]
    rows = run.clean.select(names).to_pylist()
    for row in rows:
        row["event_time"] = row["event_time"].isoformat(timespec="milliseconds")
        row["sent_at"] = row["sent_at"].isoformat(timespec="milliseconds")
    return [json.dumps(row, ensure_ascii=False).encode() for row in rows]


def _judged_files(folder: Path, run: Run, files: str, **more: Any) -> Report:  # noqa: ANN401  a mapping's parts
    columns = {name: name for name in FIELDS}
    mapping = {
        "truth": {"run": str(run.folder)},
        "result": {"files": files, "columns": columns},
        **more,
    }
    return judge(parse_mapping(yaml.safe_dump(mapping)), folder)


def test_clean_parquet_agrees(run: Run, tmp_path: Path) -> None:
    """What a perfect pipeline stores agrees in every field, and no minute is read."""
    report = judged(tmp_path, run, run.clean, tuple(FIELDS))

    assert report.agrees, report.verdicts
    assert (report.events, report.rows) == (len(run.clean), len(run.clean))
    assert report.differing_minutes == 0


def test_clean_text_files_agree(run: Run, tmp_path: Path) -> None:
    """The same events as CSV and as JSON lines agree, too."""
    lines = _json_lines(run)
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    pa_csv.write_csv(run.clean.drop_columns("items"), tmp_path / "a.csv")

    for files in ("a.jsonl", "a.csv"):
        report = _judged_files(tmp_path, run, files)
        assert report.agrees, report.verdicts


@pytest.mark.parametrize("name", QUICK)
def test_defect_is_found(run: Run, tmp_path: Path, name: str) -> None:
    """A planted defect is reported with its count and its cause, and nothing else is."""
    (defect,) = [row for row in defects(run) if row.name == name]

    assert list(problems(defect, defect.judge(tmp_path, run))) == []


@pytest.mark.slow
def test_planted_defects(run: Run, tmp_path: Path) -> None:
    """Each planted defect is reported exactly; the table says how many."""
    planted = defects(run)
    found, wrong = 0, []
    for place, defect in enumerate(planted):
        faults = list(problems(defect, report := defect.judge(tmp_path / str(place), run)))
        found += not faults
        wrong += faults
        kinds = ", ".join(f"{v.kind.value} {v.column}".strip() for v in report.verdicts)
        print(f"{'found' if not faults else 'MISSED':8}{defect.name:52}{kinds}")  # noqa: T201
    print(f"{found} of {len(planted)} planted defects found")  # noqa: T201

    assert wrong == []
    assert len(planted) == 22


def test_batch_of_one_partition(run: Run, tmp_path: Path) -> None:
    """A stretch of one of four partitions by session, missing or twice, is named as one."""
    seq = run.clean["shard_seq"]
    ids = [int(text[-4:], 16) % 4 for text in run.clean["session_id"].to_pylist()]
    stretch = pc.and_(pc.greater_equal(seq, 300), pc.less(seq, 600))
    batch = pc.and_(stretch, pc.equal(pa.array(ids), 0))
    twice = pa.concat_tables([run.clean, run.clean.filter(batch)])

    for number, result in enumerate((twice, run.clean.filter(pc.invert(batch)))):
        report = judged(tmp_path / str(number), run, result)
        assert any("some partitions" in row.cause for row in report.verdicts), report.verdicts


def test_allowed_lateness(run: Run, tmp_path: Path) -> None:
    """Late events that the policy allows to be missing are counted, and are no difference."""
    kept = _without_very_late(run)

    report = judged(tmp_path, run, kept, late="dropped after 30s")

    assert report.agrees, report.verdicts
    assert report.allowed_missing == len(run.clean) - len(kept) > 0


def _without_very_late(run: Run) -> pa.Table:
    """Return the events that are not more than 30 seconds late."""
    ids = run.clean["event_id"].to_pylist()
    return run.clean.filter(pa.array([run.late.get(event_id, 0.0) <= 30 for event_id in ids]))


def test_rejects_agree(run: Run, tmp_path: Path) -> None:
    """Second records, ids of other runs and records without an id may be rejected."""
    ids = [*run.repeated, *run.repeated, str(UUID(int=7)), "none", None]
    pq.write_table(rejected(pa.chunked_array([ids])), tmp_path / "rejects.parquet")

    report = judged(tmp_path, run, run.clean, rejects=REJECTS)

    assert report.agrees, report.verdicts
    assert run.repeated


def test_allowed_rejects(run: Run, tmp_path: Path) -> None:
    """A late event that may be missing may be rejected; one that may not is named as rejected."""
    kept = _without_very_late(run)
    late = pa.array([event_id for event_id, seconds in run.late.items() if seconds > 30])
    pq.write_table(rejected(pa.chunked_array([late])), tmp_path / "rejects.parquet")

    for policy, found in (("dropped after 30s", []), ("kept", [("rejected", len(late))])):
        report = judged(tmp_path, run, kept, rejects=REJECTS, late=policy)
        assert [(row.kind.value, row.count) for row in report.verdicts] == found


def test_sums_agree(run: Run, tmp_path: Path) -> None:
    """A table of sums with decimals agrees, with and without late events."""
    pq.write_table(sums_by_minute(run.clean), tmp_path / "sums.parquet")
    report = judged(tmp_path, run, run.clean, aggregates=[AGGREGATE])
    assert report.agrees, report.verdicts

    kept = _without_very_late(run)
    pq.write_table(sums_by_minute(kept), tmp_path / "sums.parquet")
    report = judged(tmp_path, run, kept, aggregates=[AGGREGATE], late="dropped after 30s")
    assert report.agrees, report.verdicts


def test_without_ids(run: Run, tmp_path: Path) -> None:
    """Without ids the report says what it cannot show."""
    columns = tuple(name for name in COLUMNS if name != "event_id")

    report = judged(tmp_path, run, run.clean, columns)

    assert report.agrees, report.verdicts
    assert any("cancel out" in text for text in report.cannot_tell)


def test_run_that_goes_on(tmp_path: Path) -> None:
    """During a run, only complete and settled minutes are judged."""
    run = make_run(tmp_path / "longer", 8_000)
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("events"))
    entries = []
    for path in sorted((folder / "ledger").glob("*.jsonl")):
        entries += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        path.unlink()
    minutes = sorted({row["minute"] for row in entries if row["kind"] == "minute"})
    known = [row for row in entries if row["kind"] == "minute" and row["minute"] <= minutes[-2]]
    text = "".join(json.dumps(row) + "\n" for row in known)
    (folder / "ledger.jsonl").write_text(text + '{"unfinished', encoding="utf-8")
    missing = run.clean.sort_by("event_time").slice(0, len(run.clean) - 50)

    report = judged(tmp_path, run, missing, truth={"run": str(folder)}, settles_after="30s")

    assert report.until is not None
    assert report.agrees, report.verdicts
    assert 0 < report.events < len(run.clean)


def test_ledger_of_another_run(run: Run, tmp_path: Path) -> None:
    """A ledger of another run is refused."""
    other = tmp_path / "other.jsonl"
    files = sorted((run.folder / "ledger").glob("*.jsonl"))
    text = "".join(path.read_text("utf-8") for path in files)
    run_id = json.loads(text.splitlines()[0])["run_id"]
    other.write_text(text.replace(run_id, "00000000-0000-4000-8000-0000000000ff"), "utf-8")

    with pytest.raises(TruthUnusable, match="holds run 00000000-0000-4000-8000-0000000000ff"):
        judged(tmp_path, run, run.clean, truth={"run": str(run.folder), "ledger": str(other)})


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"event_time": "at"}, "result.columns.event_time: result.parquet has no column 'at'"),
        ({"event_time": "event_time", "city": "items"}, "has the type STRUCT"),
        ({"event_time": "session_seq"}, "name its unit if it is a number"),
        ({"event_time": "event_time", "session_seq": "event_time"}, "a whole number"),
    ],
)
def test_columns_that_do_not_fit(run: Run, tmp_path: Path, columns: Any, part: str) -> None:  # noqa: ANN401
    """A missing column and a type that cannot be compared are named, with what is there."""
    with pytest.raises(JudgeError) as caught:
        judged(tmp_path, run, run.clean, columns)

    assert part in str(caught.value)


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def test_phantom_before_1970(run: Run, tmp_path: Path) -> None:
    """A row before 1970 is counted and read in the same minute."""
    row = run.clean.slice(0, 1)
    early = _with(row, "event_time", pa.array([-30_000], row["event_time"].type))
    added = _with(early, "event_id", pa.array(["zzz"]))

    report = judged(tmp_path, run, pa.concat_tables([run.clean, added]))

    assert [(row.kind.value, row.count) for row in report.verdicts] == [("phantom", 1)]


def test_values_that_are_no_numbers(run: Run, tmp_path: Path) -> None:
    """NaN, infinity and a number too large are altered values; the judge continues."""
    values = run.clean["value_minor"].cast(pa.float64()).to_pylist()
    places = [place for place, value in enumerate(values) if value is not None][:3]
    for place, value in zip(places, (float("nan"), float("inf"), 1e300), strict=True):
        values[place] = value

    report = judged(tmp_path, run, _with(run.clean, "value_minor", pa.array(values)))

    found = [(row.kind.value, row.column, row.count) for row in report.verdicts]
    assert found == [("altered", "value_minor", 3)]


def test_ids_and_numbers_in_other_types(run: Run, tmp_path: Path) -> None:
    """UUIDs in capitals and numbers as texts are the same values."""
    table = run.clean
    for name in ("event_id", "session_id"):
        table = _with(table, name, pc.utf8_upper(table[name]))
    table = _with(table, "value_minor", table["value_minor"].cast(pa.string()))

    report = judged(tmp_path, run, table)

    assert report.agrees, report.verdicts


def test_rows_that_are_not_kept(run: Run, tmp_path: Path) -> None:
    """Minutes older than the table keeps are not judged, and a loss after them is."""
    times = run.clean["event_time"].cast(pa.int64()).to_pylist()
    middle = sorted(times)[len(times) // 2] // 1000 // 60 * 60
    kept = run.clean.filter(pa.array([time >= 1000 * middle for time in times]))
    pq.write_table(kept, tmp_path / "kept.parquet")
    pq.write_table(kept.slice(1), tmp_path / "short.parquet")

    def found(files: str) -> Report:
        mapping = {
            "truth": {"run": str(run.folder)},
            "result": {"files": files, "columns": {name: name for name in COLUMNS}},
            "keeps": "1h",
        }
        text = yaml.safe_dump(mapping)
        return judge(parse_mapping(text), tmp_path, clock=lambda: middle + 3600.0)

    assert found("kept.parquet").agrees, found("kept.parquet").verdicts
    assert found("kept.parquet").events == found("kept.parquet").rows == len(kept)
    assert [(row.kind.value, row.count) for row in found("short.parquet").verdicts] == [("lost", 1)]
