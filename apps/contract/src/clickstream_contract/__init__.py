"""The contract: the event, the journey, the simulation and the ledger, as data.

Owns every name that two components share. It refuses to know how anything is sent,
stored or run: there is no IO in this package.
"""
