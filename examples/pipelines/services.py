"""The services of a trial: Kafka, PostgreSQL and a paced run, on loopback, in one folder.

Owns what a pipeline gets: its working folder and its environment variables.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_contract.topics import EVENTS
from clickstream_local.artifacts import cache_folder
from clickstream_local.environment import service_environment
from clickstream_local.java import find_java_home
from clickstream_local.kafka import create_topics, start_kafka_alone
from clickstream_local.ports import LOOPBACK
from clickstream_local.postgres import DATABASE, OWNER, Postgres
from clickstream_local.processes import ServiceProcess
from clickstream_local.state import StateFolder
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GROUP", "ROOT", "Services", "started_services"]

ROOT = Path(__file__).parents[2]
GROUP = "trial"
_SIMULATION = ROOT / "k8s" / "simulations" / "storefront.yaml"
_SECONDS = 20.0


@dataclass(frozen=True)
class Services:
    """Running services.

    Attributes:
        folder: The working folder of the pipeline, with ``truth`` and the file ``password``.
        state: The folder of the services' data, logs and passwords.
        servers: Kafka's address.
        postgres: The database server.
    """

    folder: Path
    state: StateFolder
    servers: str
    postgres: Postgres

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a pipeline, and of the judge."""
        return service_environment(os.environ) | {
            "JAVA_HOME": str(find_java_home(os.environ, cache_folder(os.environ))),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": LOOPBACK,
            "KAFKA_SERVERS": self.servers,
            "KAFKA_TOPIC": EVENTS.name,
            "KAFKA_GROUP": GROUP,
            "PGHOST": self.postgres.host,
            "PGPORT": str(self.postgres.port),
            "PGDATABASE": DATABASE,
            "PGUSER": OWNER,
            "PGPASSFILE": str(self._passfile()),
            "PGPASSWORD_FILE": "password",
            "PGSSLMODE": "disable",
        }

    def start_run(self, rate: int) -> ServiceProcess:
        """Start a run that sends this many events per second until SIGINT."""
        command = [
            str(Path(sys.executable).parent / "clickstream"), "generate", str(_SIMULATION),
            "--paced", "--rate", str(rate), "--output", f"kafka:{self.servers}",
            "--truth", str(self.folder / "truth"),
        ]  # fmt: skip
        return ServiceProcess.start(
            "run", command, self.state.log_file("run"), service_environment(os.environ),
            stop_signal=signal.SIGINT,
        )  # fmt: skip

    def ends(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "ends", "log_level": 0})
        with closing(consumer):
            partitions = consumer.list_topics(EVENTS.name, _SECONDS).topics[EVENTS.name].partitions
            return {
                number: consumer.get_watermark_offsets(
                    TopicPartition(EVENTS.name, number), _SECONDS
                )[1]
                for number in partitions
            }  # fmt: skip

    def committed(self, group: str) -> dict[int, int]:
        """Return the offsets that a consumer group has committed."""
        # Without a name, the client would be gone before its answer.
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result(_SECONDS).topic_partitions
        return {row.partition: row.offset for row in found}

    def rows(self, table: str) -> int:
        """Return the number of rows of a table; 0 without the table."""
        return self._number(table, "count(*)")

    def sum_of(self, table: str, column: str) -> int:
        """Return the sum of a column; 0 without the table."""
        return self._number(table, f"coalesce(sum({column}), 0)")

    def _number(self, table: str, expression: str) -> int:
        with closing(self.postgres.connect(OWNER)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
            if not (cursor.fetchone() or (False,))[0]:
                return 0
            cursor.execute(f"SELECT {expression} FROM {table}")
            return int((cursor.fetchone() or (0,))[0])

    def _passfile(self) -> Path:
        """Write libpq's file of passwords."""
        file = self.state.folder("secrets") / "pgpass"
        file.touch(mode=0o600)
        password = self.state.secret(OWNER).read_text(encoding="utf-8")
        file.write_text(f"{self.postgres.host}:*:*:*:{password}\n", encoding="utf-8")
        return file


@contextmanager
def started_services(folder: Path) -> Iterator[Services]:
    """Start Kafka with the contract's topics, and PostgreSQL."""
    state = StateFolder(folder / "services")
    work = folder / "work"
    work.mkdir(parents=True)
    kafka = start_kafka_alone(state, os.environ, Console(stderr=True))
    try:
        create_topics(kafka.bootstrap_servers)
        postgres = Postgres.start(state)
        try:
            postgres.wait_ready()
            (work / "password").symlink_to(state.secret(OWNER))
            yield Services(work, state, kafka.bootstrap_servers, postgres)
        finally:
            if postgres.process is not None:
                postgres.process.stop()
    finally:
        kafka.process.stop()
