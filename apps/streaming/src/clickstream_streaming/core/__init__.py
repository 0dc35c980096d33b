"""What is done to records: pure functions of DataFrames, and the text of SQL statements."""
