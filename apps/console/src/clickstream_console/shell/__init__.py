"""The database, the live stream, the routes, and the process's health and metrics."""
