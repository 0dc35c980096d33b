"""The world around the simulation: the clock, the broker, the metrics, the process."""
