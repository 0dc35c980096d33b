"""The operator's process: settings from the environment, kopf's watches, one queue.

Owns exit codes, the log's form, and that all parts end together. It does not know anything else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import kopf
import kubernetes
from clickstream_contract.environment import SettingsInvalid

from clickstream_operator.core.desired import FIELD_MANAGER
from clickstream_operator.core.seen import Key, Seen
from clickstream_operator.errors import ApiRefused, OperatorError
from clickstream_operator.settings import Settings, settings_from
from clickstream_operator.shell.api import Api
from clickstream_operator.shell.reconciler import Reconciler
from clickstream_operator.shell.scraper import Scraper
from clickstream_operator.shell.telemetry import Telemetry
from clickstream_operator.shell.watch import forget_vanished, kopf_settings, registry_for
from clickstream_operator.shell.work_queue import WorkQueue

__all__ = ["main"]

_AT_A_TIME = 8
_SETTLE_SECONDS = 0.1
"""One change often brings several: they are looked at together."""
_STUCK_SECONDS = 120.0
_LIST_SECONDS = 60.0
"""How often what is known is compared with what is there."""
_LOG = logging.getLogger(__name__)


def main() -> int:
    """Run the operator and return the process's exit code."""
    kopf.configure(log_format=kopf.LogFormat.JSON)
    # That a handler was called is no news; that it failed is.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(settings_from(os.environ)))
    except (SettingsInvalid, OperatorError, OSError, kubernetes.config.ConfigException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


async def _serve(settings: Settings) -> None:
    """Work until told to stop; what has begun is brought to its end."""
    api = Api.connect(FIELD_MANAGER, _AT_A_TIME)
    seen = Seen()
    stop = asyncio.Event()

    async def look(key: Key) -> float | None:
        return await reconciler.look(key)

    queue = WorkQueue(look, _AT_A_TIME, random.random)

    def complaint() -> str:
        stuck = queue.stuck_seconds()
        return (
            f"no simulation has been looked at for {stuck:.0f} s" if stuck > _STUCK_SECONDS else ""
        )

    def changed(key: Key) -> None:
        queue.add(key, _SETTLE_SECONDS)

    # kopf cancels what has begun after it: this has begun before.
    stopping = asyncio.create_task(stop.wait())

    async def compare() -> None:
        while not (await asyncio.wait([stopping], timeout=_LIST_SECONDS))[0]:
            try:
                await forget_vanished(api, seen, settings.namespaces, changed, executor)
            except ApiRefused as error:
                _LOG.warning("what is there cannot be listed: %s", error)

    with ThreadPoolExecutor(_AT_A_TIME) as executor:
        async with (
            Telemetry(settings.metrics_host, settings.metrics_port, complaint) as telemetry,
            Scraper() as scraper,
        ):
            reconciler = Reconciler(seen, api, scraper, telemetry, settings, time.time, executor)
            working = asyncio.gather(queue.run(stop), compare())
            try:
                await kopf.operator(
                    registry=registry_for(seen, changed),
                    settings=kopf_settings(settings.namespaces),
                    clusterwide=not settings.namespaces,
                    namespaces=settings.namespaces,
                )
            finally:
                stop.set()
                await working


if __name__ == "__main__":
    sys.exit(main())
