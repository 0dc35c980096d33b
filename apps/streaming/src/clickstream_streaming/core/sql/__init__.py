"""The SQL of the stream: what each mart is, how a batch is written, how all tables are verified.

Values are never part of a statement's text.
"""
