"""A generator whose Kafka client loses all brokers once, when it has sent its first events.

Run as a script: ``losing_generator.py FILE``; the file is made when the client has lost them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from clickstream_generator.__main__ import main
from clickstream_generator.errors import BrokersLost
from clickstream_generator.shell.kafka_sink import KafkaSink

if TYPE_CHECKING:
    from clickstream_generator.shell.sink import Batch

if __name__ == "__main__":
    lost, poll = Path(sys.argv[1]), KafkaSink.poll

    def lose(sink: KafkaSink, seconds: float) -> list[Batch]:
        """Lose the brokers, unless an earlier process has."""
        complete = poll(sink, seconds)
        if any(batch.events for batch in complete) and not lost.exists():
            lost.touch()
            raise BrokersLost
        return complete

    with mock.patch.object(KafkaSink, "poll", lose):
        sys.exit(main())
