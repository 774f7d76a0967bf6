"""Password, sessions and the login page."""
