"""Measuring versions and methods, calibration, and finding doubtful labels."""
