"""The stream's process: settings from the environment, then the job until it is stopped.

Owns exit codes and signals. It does not know anything else.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from clickstream_contract.environment import SettingsInvalid

from clickstream_streaming.errors import StreamingError
from clickstream_streaming.settings import settings_from
from clickstream_streaming.shell.job import Job
from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["main"]


def main() -> int:
    """Run the stream and return the process's exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("py4j").setLevel(logging.ERROR)
    telemetry = Telemetry()
    try:
        settings = settings_from(os.environ)
        telemetry.serve(settings.metrics_host, settings.metrics_port)
        job = Job(settings, telemetry)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: job.stop())
        job.run()
    except SettingsInvalid as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (StreamingError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
