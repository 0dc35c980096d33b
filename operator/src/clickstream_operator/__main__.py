"""The operator's process: settings from the environment, kopf's watches, one queue.

Owns exit codes, the log's form, and that all parts end together.
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
from clickstream_health.server import HealthServer

from clickstream_operator.core.desired import FIELD_MANAGER
from clickstream_operator.core.object_cache import Key, ObjectCache
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
"""One change often causes others; one reconcile handles them together."""
_STUCK_SECONDS = 120.0
_LIST_SECONDS = 60.0
"""How often the cache is compared with the cluster."""
_LOG = logging.getLogger(__name__)


def main() -> int:
    """Run the operator and return the process's exit code."""
    kopf.configure(log_format=kopf.LogFormat.JSON)
    # Log a failed handler, but not each call.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(settings_from(os.environ)))
    except (SettingsInvalid, OperatorError, OSError, kubernetes.config.ConfigException) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


async def _serve(settings: Settings) -> None:
    """Run until a signal; finish the reconciles that have begun."""
    api = Api.connect(FIELD_MANAGER, _AT_A_TIME)
    cache = ObjectCache()
    stop = asyncio.Event()

    async def reconcile(key: Key) -> float | None:
        return await reconciler.reconcile(key)

    queue = WorkQueue(reconcile, _AT_A_TIME, random.random)

    def health_problem() -> str:
        stuck = queue.stuck_seconds()
        return (
            f"no reconcile has begun or ended for {stuck:.0f} s" if stuck > _STUCK_SECONDS else ""
        )

    def changed(key: Key) -> None:
        queue.add(key, _SETTLE_SECONDS)

    telemetry = Telemetry()
    server = HealthServer(
        settings.metrics_host,
        settings.metrics_port,
        telemetry.registry,
        readiness=health_problem,
        liveness=health_problem,
    )
    # kopf cancels tasks that begin after it, so this task begins before.
    stopping = asyncio.create_task(stop.wait())

    async def compare() -> None:
        while not (await asyncio.wait([stopping], timeout=_LIST_SECONDS))[0]:
            try:
                await forget_vanished(api, cache, settings.namespaces, changed, executor)
            except ApiRefused as error:
                _LOG.warning("cannot list the objects: %s", error)

    with ThreadPoolExecutor(_AT_A_TIME) as executor:
        async with server, Scraper() as scraper:
            reconciler = Reconciler(cache, api, scraper, telemetry, settings, time.time, executor)
            working = asyncio.gather(queue.run(stop), compare())
            try:
                await kopf.operator(
                    registry=registry_for(cache, changed),
                    settings=kopf_settings(settings.namespaces),
                    clusterwide=not settings.namespaces,
                    namespaces=settings.namespaces,
                )
            finally:
                stop.set()
                await working


if __name__ == "__main__":
    sys.exit(main())
