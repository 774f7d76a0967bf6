"""HTTP in, HTML or JSON out: middleware, authentication and routes."""
