"""How fast natslab is against the bare thing, measured in the same run: `python -m tests.benchmarks`."""
