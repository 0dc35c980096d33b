"""The mapping of the project's own table of events, ``raw.events``."""

from __future__ import annotations

import yaml

from clickstream_judge.core.fields import FIELDS

__all__ = ["OWN_EVENTS"]

OWN_EVENTS: str = yaml.safe_dump(
    {
        "result": {
            "engine": "postgres",
            "table": "raw.events",
            "columns": {name: name for name in FIELDS},
            # The table has the events of all runs.
            "only_this_run": True,
        }
    },
    sort_keys=False,
)
"""The mapping without truth and connection, which the command's options give."""
