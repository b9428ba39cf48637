"""The numeric part of a training run, in a process of its own."""
