"""The pages: routes translate requests into what the rooms below do, and back into HTML."""
