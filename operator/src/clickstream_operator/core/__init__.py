"""Desired and observed state, and the plan between them, as pure functions."""
