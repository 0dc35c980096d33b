"""The console: the marts over HTTP, read-only, and one page that shows a running simulation.

``core`` has the parameters, the SQL and the form of the answers; ``shell`` has the database, the
clock and the sockets; ``static`` is the page.
"""
