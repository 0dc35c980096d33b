"""Binary fragments: each is a JSON fragment with absent fields added."""

from __future__ import annotations

from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.binary_fragments import build_binary_fragments
from clickstream_generator.core.encoding import Encoder
from clickstream_generator.core.wire import AVRO, PROTOBUF
from simulations import RUN_ID
from worlds import small_population, small_world


def test_fragments_follow_json() -> None:
    """A pool has as many fragments as its JSON, and Avro marks absent fields, Protobuf does not."""
    source = Encoder(small_world(), {0: small_population()}, "shop", RUN_ID, 4)
    avro, protobuf = (build_binary_fragments(source, wire) for wire in (AVRO, PROTOBUF))

    assert len(avro.openings) == len(EVENT_NAMES)
    assert len(avro.cities) == len(source.fragments.cities)
    assert avro.cities[0].as_py() == b"\x04DE\x08DE 0\x0ade-DE"
    assert protobuf.cities[0].as_py() == b"\x72\x02DE\x7a\x04DE 0\x82\x01\x05de-DE"
    assert (avro.no_order, protobuf.no_order) == (b"\x00", b"")
    assert avro.currency == b"\x02\x06EUR"
    assert {len(pages) for pages in avro.cart_pages.values()} == {
        1, len(source.fragments.shipping), len(source.fragments.payments),
    }  # fmt: skip
    assert avro.lines_before[1].as_py() == b"\x0eP000002\x1cSoft Blue Lamp\nStone\x08Lamp"
    assert avro.lines_after[1].as_py() == b"\x90\x03"
    assert protobuf.lines_after[1].as_py() == b"\x30\xc8\x01"
