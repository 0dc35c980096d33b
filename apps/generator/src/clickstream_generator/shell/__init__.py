"""Everything around the simulation: clock, broker, files, metrics."""
