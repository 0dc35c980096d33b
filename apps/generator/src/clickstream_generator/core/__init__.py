"""The simulation itself: pure functions and explicit state, no clock, no environment, no IO."""
