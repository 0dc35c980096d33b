"""Rejects that are corrected by hand and sent again."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_local.errors import RejectUnknown
from clickstream_local.postgres import READER
from clickstream_local.rejects import list_rejects, mended_from, replay
from clickstream_streaming.core.sample import sample_event
from pipeline import wait_until

if TYPE_CHECKING:
    from clickstream_local.rejects import Reject
    from pipeline import Pipeline

pytestmark = pytest.mark.services


def test_mended_reject_becomes_an_event(pipeline: Pipeline) -> None:
    """A corrected reject is stored once, and is no longer listed."""
    good = sample_event("view_item") | {"event_id": str(uuid4()), "run_id": str(uuid4())}
    servers = pipeline.kafka.bootstrap_servers

    def listed() -> list[Reject]:
        with closing(pipeline.postgres.connect(READER)) as reader:
            rejects = list_rejects(reader, "out_of_range", 1_000)
        return [row for row in rejects if good["event_id"].encode() in (row.payload or b"")]

    pipeline.produce(json.dumps(good | {"price_minor": -5}).encode(), key=b"mended")
    wait_until(lambda: bool(listed()), "the reject is listed")
    (reject,) = listed()
    mended = [json.dumps(reject.to_json() | {"payload": json.dumps(good)})]

    with closing(pipeline.connect()) as connection:
        assert replay(connection, servers, mended_from(mended)) == 1
        with pytest.raises(RejectUnknown):
            replay(connection, servers, mended_from(mended))
        # A reader that sits in a transaction: a new day must not have to wait for it.
        with connection, connection.cursor() as cursor:

            def is_stored() -> bool:
                cursor.execute("SELECT FROM raw.events WHERE event_id = %s", (good["event_id"],))
                return cursor.rowcount > 0

            wait_until(is_stored, "the mended event is stored")

    assert reject.rule == "price_minor.out_of_range"
    assert not listed()
    pipeline.forget(good["run_id"])
    assert pipeline.verify().is_clean()


def test_unknown_reject_is_refused() -> None:
    """A line without a valid reject is an error with its line number."""
    with pytest.raises(RejectUnknown, match="line 1"):
        mended_from(["{}"])
