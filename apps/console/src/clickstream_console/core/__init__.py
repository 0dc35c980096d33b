"""What may be asked, the SQL that answers it, and the form of the answers: no IO."""
