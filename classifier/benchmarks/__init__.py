"""Speed and memory of the core and of a plain implementation: ``python -m classifier.benchmarks``."""
