"""The generator: the clickstream of a web shop, the same for the same seed.

``core`` makes columns of events and their bytes from a simulation and knows no clock and no
broker; ``shell`` paces them, sends them and keeps the ledger.
"""
