"""Clips, training runs and versions for programs."""
