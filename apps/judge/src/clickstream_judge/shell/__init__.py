"""Everything around the judging: files, engines, the terminal."""
