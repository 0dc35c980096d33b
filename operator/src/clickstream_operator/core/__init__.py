"""What is wanted and what is seen, as pure functions."""
