"""Migrations: the schema of the database, and the logins of its users."""
