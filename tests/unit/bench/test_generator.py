"""How fast the generator is: the records, and the values that Faker makes up."""

from __future__ import annotations

import json
from functools import partial
from uuid import UUID

import pytest
from clickstream_bench import generator
from clickstream_bench.generator import _invented, _measure, _samples
from clickstream_bench.shop import shop
from clickstream_contract.events import EVENT_FIELDS
from faker import Faker


@pytest.fixture(autouse=True)
def _small_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the shop few users: building many takes seconds."""
    monkeypatch.setattr(generator, "shop", partial(shop, users=2_000))


def test_samples_are_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ceiling sends events of the same shop, each under its session."""
    monkeypatch.setattr(generator, "_CHUNK", 200)

    samples = _samples()

    assert 100 < len(samples) <= 200
    for value, key in samples[:5]:
        assert value is not None
        assert json.loads(value)["user_id"] == key.decode()


def test_null_sink_counts_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker all events are made, and the shares of the time are shares."""
    monkeypatch.setattr(generator, "_EVENTS", 1_000)
    monkeypatch.setattr(generator, "_CHUNK", 500)

    speed, shares = _measure(None, (0, 1))

    assert speed > 0
    assert set(shares) == {"simulate_share", "encode_share", "produce_share"}
    assert all(share >= 0 for share in shares.values())
    assert sum(shares.values()) <= 1


@pytest.mark.parametrize("field", EVENT_FIELDS, ids=lambda field: field.name)
def test_faker_fills_every_field(field: object) -> None:
    """Faker makes up a value for each field that JSON can hold."""
    faker = Faker("en_US")
    faker.seed_instance(1)

    value = _invented(faker, field)  # type: ignore[arg-type]

    assert value is not None
    json.dumps(value)


@pytest.mark.parametrize(("name", "kind"), [("event_id", UUID), ("city", str), ("shard_seq", int)])
def test_faker_follows_the_type(name: str, kind: type) -> None:
    """A field's value has the field's type."""
    (field,) = (row for row in EVENT_FIELDS if row.name == name)

    assert kind(_invented(Faker("en_US"), field))
