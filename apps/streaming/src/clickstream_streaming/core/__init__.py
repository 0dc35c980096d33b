"""The core: pure functions over Arrow columns, and the text of SQL statements."""
