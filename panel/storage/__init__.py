"""What the panel remembers, in SQLite."""
