"""Benchmarks: `.venv/bin/python -m tests.bench NAME --json`. Ratios of one run on one machine; not timed tests."""
