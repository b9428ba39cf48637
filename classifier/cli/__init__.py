"""The parts of ``python -m classifier``: which files, result in which processes, written how."""
