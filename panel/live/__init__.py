"""One change, many browsers: the hub, the publisher of fragments, the server protocol."""
