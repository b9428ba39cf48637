"""Genreweb: hears the genre of music, shows the sound and finds what is similar."""

from genreweb.celery import app as celery_app

__all__ = ["__version__", "celery_app"]

__version__ = "0.2.0"
"""The application's version; a classifier has a name of its own."""
