"""Validation: which records are events, and why the others are rejected."""
