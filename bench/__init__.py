"""Measurements. Each is one command; docs/benchmarks.md tells what they mean."""
