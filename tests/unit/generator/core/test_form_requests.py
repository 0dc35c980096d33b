"""Bodies of HTTP requests: every record in one of them, and broken ones alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_requests import AttributeHeaders, Request, Requests
from clickstream_generator.core.form_rows import WHOLE, Form, Post, Row
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.errors import RecordTooLarge
from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from form_events import broken_records, native_records, one_of_each

if TYPE_CHECKING:
    from clickstream_generator.core.faults import Record

EACH: list[Record] = [(value, b"") for value in one_of_each().values()]
IDS = [json.loads(value or b"")["event_id"] for value, _ in EACH]


def _ids(form: str, request: Request) -> list[str]:
    """Return the event ids in a request, as a receiver reads them."""
    body = request.body.decode()
    if form == "native":
        return [json.loads(line)["event_id"] for line in body.splitlines()]
    content = json.loads(body)
    if form == "cloudevents":
        return [row["id"] for row in content]
    if form == "segment":
        return [row["messageId"] for row in content["batch"]]
    if form == "snowplow":
        return [row["eid"] for row in content["data"]]
    return [row["params"]["event_id"] for row in content["events"]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("most", [None, 5])
def test_each_record_is_in_one_request(form: str, most: int | None) -> None:
    """Every record is in exactly one request, which has at most the wanted number."""
    if form == "cloudevents" and most == 1:
        return
    made = list(Requests(FORMS[form], most).of(EACH))
    found = [identity for request in made for identity in _ids(form, request)]

    assert sorted(found) == sorted(IDS)
    assert sum(request.records for request in made) == len(EACH)
    assert max(request.records for request in made) <= (most or 500)
    assert not any(request.is_broken for request in made)
    assert all(request.headers["content-type"] for request in made)


def test_large_records_are_split_by_bytes() -> None:
    """A request stays below the form's limit of bytes, but for a record that is larger."""
    form = FORMS["segment"]
    form = replace(form, post=replace(form.post, most_bytes=8_000))
    sizes = [len(request.body) for request in Requests(form).of(EACH)]
    assert len(sizes) > 1
    assert max(sizes) < 8_100


@pytest.mark.parametrize(("most_bytes", "sizes"), [(34, [3, 3]), (33, [2, 2, 2])])
def test_request_may_reach_the_limit(most_bytes: int, sizes: list[int]) -> None:
    """Records and the bytes between them fill a request up to its limit, and not beyond."""
    post = Post("text/plain", between=b"--", most_bytes=most_bytes)
    form = Form("own", "", (), (Row("", WHOLE),), post)

    made = list(Requests(form).of([(b'{"a":"bc"}', b"")] * 6))
    assert [request.records for request in made] == sizes


def _sized(size_bytes: int) -> bytes:
    """Return a native record that Segment's form makes a call of this size."""
    convert = Converter(FORMS["segment"]).convert
    event = {**json.loads(one_of_each()["purchase"]), "city": ""}
    empty = convert(json.dumps(event).encode()) or b""
    return json.dumps({**event, "city": "x" * (size_bytes - len(empty))}).encode()


def test_calls_stay_below_segments_limits() -> None:
    """A call has at most 32 kB and a request 500 kB; a larger event ends the run before both."""
    requests = Requests(FORMS["segment"])
    made = list(requests.of([(_sized(32_000), b"")] * 60))

    calls = [call for request in made for call in json.loads(request.body)["batch"]]
    assert [len(json.dumps(call, separators=(",", ":"))) for call in calls] == [32_000] * 60
    assert max(len(request.body) for request in made) <= 500_000
    with pytest.raises(RecordTooLarge, match=r"32,001 bytes .* segment, which allows 32,000"):
        list(requests.of([(_sized(32_001), b"")]))


def test_broken_record_may_be_too_large() -> None:
    """A record that was made too large on purpose is sent alone, for the receiver to refuse."""
    (request,) = Requests(FORMS["segment"]).of([(_sized(40_000), b"")], {0})

    assert request.is_broken
    assert len(request.body) > 40_000


def test_ga4_request_is_of_one_client() -> None:
    """Events of a client in the same place share a request, in their order, and at most 25."""
    records: list[Record] = [(value, b"") for value in native_records()]
    made = [json.loads(request.body) for request in Requests(FORMS["ga4"]).of(records)]
    assert max(len(body["events"]) for body in made) > 1
    assert max(len(body["events"]) for body in made) <= 25
    by_client: dict[str, list[int]] = {}
    for body in made:
        times = [row["params"]["timestamp_micros"] for row in body["events"]]
        assert times == sorted(times)
        assert body["timestamp_micros"] == times[0]
        by_client.setdefault(body["client_id"], []).extend(times)
    native = [json.loads(value) for value in native_records()]
    assert by_client.keys() == {f"{int(row['user_id'][1:]) + 1}.1" for row in native}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", broken_records())
def test_broken_record_is_alone(form: str, fault: str) -> None:
    """A broken record has a separate request; the others are whole."""
    broken = broken_records()[fault]
    records: list[Record] = [*EACH[:3], (broken, b""), *EACH[3:]]
    made = list(Requests(FORMS[form]).of(records, {3}))
    (alone,) = [request for request in made if request.is_broken]

    assert alone.records == 1
    good = [request for request in made if request is not alone]
    assert sorted(i for request in good for i in _ids(form, request)) == sorted(IDS)
    if fault in {"corrupt_not_json", "corrupt_truncated", "corrupt_bad_encoding"}:
        assert alone.body == broken
    if fault == "corrupt_no_value":
        assert alone.body == b""


def test_single_cloudevent_is_binary() -> None:
    """One record per request has the attributes as headers, and the event as the body."""
    requests = Requests(FORMS["cloudevents"], 1)
    for request, (value, _) in zip(requests.of(EACH), EACH, strict=True):
        native = json.loads(value or b"")
        assert request.body == value
        assert request.headers["content-type"] == "application/json"
        assert request.headers["ce-specversion"] == "1.0"
        assert request.headers["ce-id"] == native["event_id"]
        assert "ce-data" not in request.headers
        assert all(text.isascii() and " " not in text for text in request.headers.values())
    (broken,) = requests.of([(b"<html>", b"")], {0})
    assert (broken.body, dict(broken.headers)) == (b"<html>", {"content-type": "application/json"})


def test_header_values_are_percent_encoded() -> None:
    """Characters outside printable ASCII, quotes and per cent signs are encoded for HTTP only."""
    value = json.dumps({"event_name": "search", "user_id": 'ü "%'}).encode()
    (request,) = Requests(FORMS["cloudevents"], 1).of([(value, b"")])
    assert request.headers["ce-subject"] == "%C3%BC%20%22%25"
    assert ("ce_subject", 'ü "%') in AttributeHeaders(FORMS["cloudevents"], "ce_").of(value)
    assert AttributeHeaders(FORMS["cloudevents"], "ce_").of(None) == []


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_foreign_reader_understands_cloudevents(name: str) -> None:
    """To its authors' SDK, all modes have the same attributes and data."""
    form, value = FORMS["cloudevents"], one_of_each()[name]
    structured = JSONFormat().read(None, Converter(form).convert(value) or b"")
    headers = {key: text.encode() for key, text in AttributeHeaders(form, "ce_").of(value)}
    message = kafka.KafkaMessage(headers, structured.get_attributes()["partitionkey"], value)
    in_kafka = kafka.from_binary(message, JSONFormat())
    (request,) = Requests(form, 1).of([(value, b"")])
    posted = http.HTTPMessage(dict(request.headers), request.body)
    in_http = http.from_binary(posted, JSONFormat())

    for event in (structured, in_kafka, in_http):
        assert event.get_data() == json.loads(value)
        assert event.get_attributes() == structured.get_attributes()
    assert structured.get_type() == f"dev.clickstream.{name}"
