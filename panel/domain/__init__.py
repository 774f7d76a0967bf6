"""Pure values and rules: nothing here reads a clock, a file or a socket."""
