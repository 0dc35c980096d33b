"""The output's name on the command line."""

from __future__ import annotations

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.shell.output import Output, parse_output


@pytest.mark.parametrize(
    ("text", "output", "is_folder", "is_kafka"),
    [
        ("stdout", Output("stdout"), False, False),
        ("jsonl:a:b", Output("jsonl", "a:b"), True, False),
        ("csv:/a", Output("csv", "/a"), True, False),
        ("parquet:a", Output("parquet", "a"), True, False),
        ("kafka:h:1,i:2", Output("kafka", "h:1,i:2"), False, True),
        ("kafka", Output("kafka"), False, True),
        ("http://h:1/a", Output("http", "//h:1/a"), False, False),
        ("https://h/a", Output("https", "//h/a"), False, False),
    ],
)
def test_output_is_read(text: str, output: Output, *, is_folder: bool, is_kafka: bool) -> None:
    """Each kind is read and written back."""
    assert parse_output(text) == output
    assert str(output) == text
    assert (output.is_folder, output.is_kafka) == (is_folder, is_kafka)


@pytest.mark.parametrize("text", ["", "avro:a", "jsonl", "jsonl:", "stdout:x", "Parquet:a"])
def test_unknown_output_names_the_known(text: str) -> None:
    """An unknown output is refused with the value and the known ones."""
    with pytest.raises(SimulationInvalid) as refused:
        parse_output(text)
    assert str(refused.value) == (
        f"--output: {text!r} is not allowed; it must be one of stdout, jsonl:FOLDER, csv:FOLDER, "
        "parquet:FOLDER, kafka:SERVERS, http://HOST/PATH, https://HOST/PATH"
    )


def test_address_is_shown_without_its_query() -> None:
    """The query of an address may hold secrets, so no message has it."""
    output = parse_output("https://h/a?key=1")
    assert output.is_http
    assert str(output) == "https://h/a"
