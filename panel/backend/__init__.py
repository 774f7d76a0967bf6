"""Everything that knows KTRDR: HTTP, decoding, catalogue, polling."""
