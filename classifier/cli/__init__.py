"""The parts of ``python -m classifier``: which files, heard in which processes, written how."""
