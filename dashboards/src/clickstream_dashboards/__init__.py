"""Dashboards, rules and alerts, built from the contract."""
