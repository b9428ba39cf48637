"""Measuring a version as it answers, on music and sounds outside the set that it was fitted on."""
