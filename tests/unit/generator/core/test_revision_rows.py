"""Revisions as JSON values, each document once."""

from __future__ import annotations

import json

from clickstream_generator.core.revision_rows import pack_rows, unpack_rows


def _row(until: float, since: float, document: str) -> dict[str, object]:
    return {"until_seconds": until, "from_seconds": since, "document": document}


def test_packed_rows_share_documents() -> None:
    """Packed rows are read back as they were, and each document is written once."""
    written = [_row(1.5, 2.5, "one"), _row(3.0, 3.0, "other"), _row(4.0, 9.0, "one")]

    packed = json.loads(json.dumps(pack_rows(written)))

    assert unpack_rows(packed) == written
    assert packed == {
        "documents": ["one", "other"],
        "rows": [[1.5, 2.5, 0], [3.0, 3.0, 1], [4.0, 9.0, 0]],
    }
    assert unpack_rows(pack_rows([])) == []
