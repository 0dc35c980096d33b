"""The judging: pure functions and explicit state, without a clock, environment or IO."""
