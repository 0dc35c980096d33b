"""Whether a folder holds the requested run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.core.run_record import Layout
from clickstream_generator.errors import OutputRefused
from clickstream_generator.shell.generation import Request
from clickstream_generator.shell.output import Output
from clickstream_generator.shell.same_run import check_is_same
from clickstream_generator.shell.simulation_source import Overrides
from run_records import run_record

RECORD = replace(run_record()[0], layout=Layout("jsonl", 10))
REQUEST = Request(None, None, Overrides(), Output("jsonl", "a"))


def test_same_run_is_accepted() -> None:
    """The same simulation, or the same record, continues the folder's run."""
    check_is_same(REQUEST, None, RECORD.first, RECORD, "jsonl:a")
    check_is_same(REQUEST, RECORD, RECORD.first, RECORD, "jsonl:a")


def test_other_form_is_refused() -> None:
    """Records of another form are another run."""
    with pytest.raises(OutputRefused, match="holds records in the form native, not segment"):
        check_is_same(
            replace(REQUEST, form=FORMS["segment"]), None, RECORD.first, RECORD, "jsonl:a"
        )
