"""Traffic per minute of event time, as a streaming aggregation.

Owns the windows: watermark, duplicates, counts. It runs in update mode: a minute's row comes
again, whole, whenever it changes, until the watermark has passed it. It does not know where
the rows go; hours are added up from minutes where they are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.events import EVENT_NAMES
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["TRAFFIC_DIMENSIONS", "traffic_per_minute"]

TRAFFIC_DIMENSIONS = ("simulation", "country", "device", "channel")


def traffic_per_minute(records: DataFrame, watermark_seconds: int) -> DataFrame:
    """Count events and revenue per minute.

    Args:
        records: Checked records, see :func:`clickstream_streaming.core.parsing.checked_records`.
        watermark_seconds: How late an event may be and still count.

    Returns:
        minute, the dimensions, events, one count per event name, revenue_minor.
    """
    events = (
        records.where(F.col("event").isNotNull())
        .select(
            F.col("event.event_time").cast("timestamp").alias("event_time"),
            "event.event_id",
            "event.event_name",
            "event.value_minor",
            *(f"event.{name}" for name in TRAFFIC_DIMENSIONS),
        )
        .withWatermark("event_time", f"{watermark_seconds} seconds")
        .dropDuplicatesWithinWatermark(["event_id"])
    )
    bought = F.when(F.col("event_name") == "purchase", F.col("value_minor")).otherwise(0)
    return (
        events.groupBy(F.window("event_time", "1 minute"), *TRAFFIC_DIMENSIONS)
        .agg(
            F.count("*").alias("events"),
            *(
                F.count_if(F.col("event_name") == name).alias(f"{name}_events")
                for name in EVENT_NAMES
            ),
            F.sum(bought).alias("revenue_minor"),
        )
        .select(
            F.col("window.start").alias("minute"),
            *TRAFFIC_DIMENSIONS,
            "events",
            *(f"{name}_events" for name in EVENT_NAMES),
            "revenue_minor",
        )
    )
