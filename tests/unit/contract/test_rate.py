"""The rate of a simulation: its bounds, its defaults and what contradicts what."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.rate import MAX_EVENTS_PER_SECOND, Curve, OnOverload, Rate
from pydantic import ValidationError

STEP = {"for": "1m", "multiplierPermille": 500}


def _rate(**content: object) -> Rate:
    if "eventsPerMinute" not in content:
        content = {"eventsPerSecond": 100, **content}
    return Rate.model_validate(content)


def _burst(at: str, lasts: str, multiplier: int = 2_000) -> dict[str, Any]:
    return {"at": at, "for": lasts, "multiplierPermille": multiplier}


def _refused(**content: object) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        _rate(**content)
    error = caught.value.errors()[0]
    return {"type": error["type"], **error.get("ctx", {})}


def test_plain_rate_is_constant() -> None:
    """A rate with only a number holds at all times, and catches up after an overload."""
    rate = _rate()

    assert rate.curve is Curve.CONSTANT
    assert rate.on_overload is OnOverload.CATCH_UP
    assert (rate.steps, rate.bursts) == ((), ())


def test_rate_is_per_second() -> None:
    """A rate per minute is a sixtieth per second."""
    assert _rate(eventsPerSecond=7).per_second == 7.0
    assert _rate(eventsPerMinute=30).per_second == 0.5


@pytest.mark.parametrize(
    ("name", "highest"),
    [("eventsPerSecond", 1_000_000), ("eventsPerMinute", 60_000_000)],
)
def test_rate_has_bounds(name: str, highest: int) -> None:
    """A rate goes from 1 to a million events per second."""
    assert MAX_EVENTS_PER_SECOND == 1_000_000
    assert _rate(**{name: 1}).per_second > 0
    assert _rate(**{name: highest}).per_second == 1_000_000
    assert _refused(**{name: 0}) == {"type": "greater_than_equal", "ge": 1}
    assert _refused(**{name: highest + 1}) == {"type": "less_than_equal", "le": highest}


@pytest.mark.parametrize("content", [{}, {"eventsPerSecond": 1, "eventsPerMinute": 1}])
def test_exactly_one_rate_is_given(content: dict[str, int]) -> None:
    """A rate is per second or per minute, not both and not neither."""
    with pytest.raises(ValidationError, match="exactly one of eventsPerSecond and eventsPerMinute"):
        Rate.model_validate(content)


def test_steps_belong_to_their_curve() -> None:
    """The curve Steps has at least one step, and no other curve has any."""
    assert _rate(curve="Steps", steps=[STEP]).steps[0].for_seconds == 60
    assert _refused(curve="Steps")["path"] == "steps"
    assert _refused(curve="Steps")["value"] == 0
    assert _refused(steps=[STEP])["value"] == 1
    assert _refused(curve="Diurnal", steps=[STEP, STEP])["value"] == 2


@pytest.mark.parametrize("multiplier", [0, 100_000])
def test_multipliers_reach_their_bounds(multiplier: int) -> None:
    """Steps and bursts may stop the traffic, or multiply it by a hundred."""
    rate = _rate(
        curve="Steps",
        steps=[{"for": "1s", "multiplierPermille": multiplier}],
        bursts=[_burst("1s", "1s", multiplier)],
    )

    assert rate.steps[0].multiplier_permille == multiplier
    assert rate.bursts[0].multiplier_permille == multiplier


@pytest.mark.parametrize("multiplier", [-1, 100_001])
def test_multipliers_end_at_bounds(multiplier: int) -> None:
    """Less than none and more than a hundred times the rate are refused."""
    steps = [{"for": "1s", "multiplierPermille": multiplier}]

    assert _refused(curve="Steps", steps=steps)["type"].endswith("_equal")
    assert _refused(bursts=[_burst("1s", "1s", multiplier)])["type"].endswith("_equal")


def test_lists_have_hundred_entries() -> None:
    """There are at most 100 steps and 100 bursts."""
    bursts = [_burst(f"{2 * number}s", "1s") for number in range(1, 102)]

    assert len(_rate(curve="Steps", steps=100 * [STEP]).steps) == 100
    assert len(_rate(bursts=bursts[:100]).bursts) == 100
    assert _refused(curve="Steps", steps=101 * [STEP])["type"] == "too_long"
    assert _refused(bursts=bursts)["type"] == "too_long"


def test_touching_bursts_are_taken() -> None:
    """A burst may begin when another ends, in whatever order they are given."""
    rate = _rate(bursts=[_burst("2m", "1m"), _burst("1m", "1m")])

    assert [burst.at_seconds for burst in rate.bursts] == [120, 60]


def test_overlapping_bursts_are_refused() -> None:
    """Bursts that overlap by a second are refused, and the later one is named."""
    refused = _refused(bursts=[_burst("2m", "1m"), _burst("1m", "61s")])

    assert refused["path"] == "bursts"
    assert refused["value"] == "2m"
    assert refused["allowed"] == "bursts that do not overlap"


def test_overload_may_shed() -> None:
    """What cannot be sent in time is caught up or shed; anything else is refused."""
    assert _rate(onOverload="Shed").on_overload is OnOverload.SHED
    assert _refused(onOverload="Drop")["allowed"] == "one of CatchUp, Shed"
    assert _refused(curve="Sinus")["allowed"] == "one of Constant, Diurnal, Weekly, Steps"
