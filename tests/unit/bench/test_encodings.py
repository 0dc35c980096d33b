"""How fast the encodings are: which figures come, and for how many events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clickstream_bench import encodings
from clickstream_bench.shop import shop

if TYPE_CHECKING:
    import pytest


def test_each_encoding_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each encoding has a speed and a size, and all but JSON a time against JSON."""
    monkeypatch.setattr(encodings, "shop", partial(shop, users=2_000))

    found = encodings.measure_encodings(1_000)
    for name in ("avro", "protobuf", "json_schema"):
        assert found[f"{name}_encoded_per_second"] > 0
        assert found[f"{name}_time_to_json"] > 1
    assert found["avro_bytes_per_record"] < found["json_bytes_per_record"]
    assert found["json_schema_bytes_per_record"] == found["json_bytes_per_record"] + 5
    assert "json_time_to_json" not in found
