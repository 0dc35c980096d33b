"""The generator: the clickstream of a web shop, the same for the same seed.

``core`` makes events and their bytes from a simulation, without a clock or a broker. ``shell``
sends them in time and publishes the ledger.
"""
