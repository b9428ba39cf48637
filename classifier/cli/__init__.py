"""The parts of ``python -m classifier``: input files, worker processes and output formats."""
