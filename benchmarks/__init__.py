"""Measurements: `make bench`, or one row of them: `python -m benchmarks intake --quick`."""
