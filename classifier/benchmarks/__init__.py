"""How fast and how large the core is, beside a plain implementation: ``python -m classifier.benchmarks``."""
