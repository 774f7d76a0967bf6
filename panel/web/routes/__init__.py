"""One file per area: requests in, HTML or JSON out."""
