"""The contract: the event, the journey, the simulation and the ledger, as data.

Owns every name that two components share. This package does no IO.
"""
