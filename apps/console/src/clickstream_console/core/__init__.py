"""Parameters, SQL and the form of the answers, without IO."""
