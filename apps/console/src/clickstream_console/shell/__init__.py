"""The database, the live stream, the routes and what the process shows of itself."""
