"""What other packages use of the generator: simulations, read from files."""

from __future__ import annotations

from clickstream_generator.shell.simulation_source import Overrides, read_simulation

__all__ = ["Overrides", "read_simulation"]
