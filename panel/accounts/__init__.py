"""Who may use the panel: users, tokens and passwords."""
