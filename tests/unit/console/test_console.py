"""The console without a database: settings, paging, rates, and what ships with the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clickstream_console.core.parameters import Cursor, SessionsAsked
from clickstream_console.core.rate import RateWindow
from clickstream_console.settings import PREFIX, settings_from
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.environment import SettingsInvalid
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from uuid import UUID

STATIC = Path(str(files("clickstream_console"))) / "static"
DOCS = Path(__file__).parents[3] / "docs"
NEEDED = {"POSTGRES_HOST": "localhost", "POSTGRES_PASSWORD_FILE": __file__}


@pytest.mark.parametrize(
    ("name", "value"),
    [("POSTGRES_HOST", ""), ("POSTGRES_PASSWORD_FILE", "/nowhere"), ("PORT", "0"),
     ("ALLOWED_HOSTS", "*"), ("ALLOWED_HOSTS", "a b"), ("POOL_CONNECTIONS", "65"),
     ("STATEMENT_TIMEOUT_MILLISECONDS", "-1"), ("POOL", "4")],
)  # fmt: skip
def test_a_wrong_variable_is_refused_by_name(name: str, value: str) -> None:
    """The text names the variable; a missing or unknown one is an error."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        settings_from({PREFIX + key: text for key, text in (NEEDED | {name: value}).items()})


def test_by_default_only_this_machine_is_served() -> None:
    """It listens on loopback, and answers to loopback's names only."""
    settings = settings_from({PREFIX + key: text for key, text in NEEDED.items()})
    assert settings.host == "127.0.0.1"
    assert settings.hosts == ["127.0.0.1", "localhost"]


@given(
    st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001  the strategy adds the zone
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.uuids(),
)
def test_a_cursor_survives_being_written(started_at: datetime, session_id: UUID) -> None:
    """The moment is kept to the microsecond, and the text is one that the API takes."""
    text = Cursor.write(started_at, session_id)
    assert SessionsAsked(simulation="shop", cursor=text).cursor == text
    micros, again = Cursor.read(text)
    assert (
        datetime.fromtimestamp(micros // 1_000_000, tz=UTC).replace(microsecond=micros % 1_000_000)
        == started_at
    )
    assert again == session_id


def test_a_rate_is_that_of_the_last_seconds() -> None:
    """What lies before the window does not count; a total that falls begins anew."""
    window = RateWindow(seconds=10)
    assert window.add(0, 1_000) is None
    assert window.add(5, 1_500) == 100
    for second in range(6, 40):
        rate = window.add(second, 1_500 + 10 * (second - 5))
    assert rate == pytest.approx(10)
    assert window.add(40, 7) is None


def test_what_is_not_ours_is_as_it_was_given() -> None:
    """Each vendored file is listed with its hash and has its licence beside it, and none else."""
    vendor = STATIC / "vendor"
    listed = dict(
        re.findall(r"\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", (vendor / "README.md").read_text())
    )
    there = {
        str(path.relative_to(vendor))
        for path in vendor.glob("*/*")
        if not path.name.startswith("LICENSE")
    }
    assert set(listed) == there
    for name, digest in listed.items():
        path = vendor / name
        assert sha256(path.read_bytes()).hexdigest() == digest, name
        assert (path.parent / "LICENSE").is_file()


def test_the_map_knows_every_country() -> None:
    """Each country of the contract has the number of a shape."""
    codes = dict(re.findall(r'([A-Z]{2}): "([0-9]{3})"', (STATIC / "map.js").read_text()))
    shapes = (STATIC / "vendor/world-atlas/countries-110m.json").read_text()
    assert set(codes) == set(COUNTRIES)
    assert len(set(codes.values())) == len(codes)
    for number in codes.values():
        assert f'"id":"{number}"' in shapes


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """No file of ours names another host, but for names of formats."""
    for path in (*STATIC.glob("*.html"), *STATIC.glob("*.js"), *STATIC.glob("*.css")):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"^\s*//.*$|\s// .*$", "", text, flags=re.MULTILINE), path.name
