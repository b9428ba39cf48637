"""Errors of the core."""

from __future__ import annotations


class ReleaseError(ValueError):
    """The files of a version cannot be used; the message gives the reason in one sentence."""
