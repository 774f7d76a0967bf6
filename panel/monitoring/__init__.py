"""Background loops that ask the backend: pollers, discovery, data inventory."""
