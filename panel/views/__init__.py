"""Domain values to what templates need, and the templates themselves."""
