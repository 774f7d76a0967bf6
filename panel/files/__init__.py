"""Reading files that other people and programs wrote, with limits. Imports nothing else of the panel."""
