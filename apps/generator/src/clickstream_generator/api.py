"""What other packages use of the generator: simulations and Kafka's settings, read from files."""

from __future__ import annotations

from clickstream_generator.shell.kafka_target import read_client_file
from clickstream_generator.shell.simulation_source import Overrides, read_simulation

__all__ = ["Overrides", "read_client_file", "read_simulation"]
