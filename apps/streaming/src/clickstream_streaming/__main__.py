"""The stream's process: reads settings from the environment and runs a command.

Owns the command line, exit codes and signals. Without a command the process runs the job until it
is stopped.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from uuid import UUID

from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.libpq import forget_libpq
from clickstream_health.server import HealthServer

from clickstream_streaming.errors import StreamingError
from clickstream_streaming.settings import database_settings_from, settings_from
from clickstream_streaming.shell.inspection import (
    read_back,
    show_rebuild,
    show_verification,
)
from clickstream_streaming.shell.job import Job
from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["main"]


_USAGE = """\
usage: python -m clickstream_streaming                  run the stream
       python -m clickstream_streaming verify [--wait SECONDS]
                                                        check every table; 1 if a figure is not 0
       python -m clickstream_streaming rebuild          rebuild every mart, as the owner
       python -m clickstream_streaming read-back RUN    wait until a run is stored and closed
"""


def main() -> int:
    """Run the command and return the exit code of the process."""
    forget_libpq(os.environ)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("py4j").setLevel(logging.ERROR)
    try:
        match sys.argv[1:]:
            case []:
                _run()
            case ["verify", *wait] if not wait or _is_wait(wait):
                settings = database_settings_from(os.environ)
                return show_verification(settings, sys.stdout, float(wait[1]) if wait else 0.0)
            case ["rebuild"]:
                show_rebuild(database_settings_from(os.environ), sys.stdout)
            case ["read-back", run]:
                return read_back(database_settings_from(os.environ), UUID(run), sys.stdout)
            case _:
                sys.stderr.write(_USAGE)
                return 2
    except SettingsInvalid as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (StreamingError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _is_wait(words: list[str]) -> bool:
    """Return whether these arguments are ``--wait SECONDS``."""
    return words[:1] == ["--wait"] and len(words) == 2 and words[1].isdecimal()


def _run() -> None:
    settings = settings_from(os.environ)
    telemetry = Telemetry()
    job = Job(settings, telemetry)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: job.stop())
    server = HealthServer(
        settings.metrics_host, settings.metrics_port, telemetry.registry, telemetry.readiness
    )
    with server.in_thread():
        job.run()


if __name__ == "__main__":
    sys.exit(main())
