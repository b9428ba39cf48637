"""Genreweb: hears the genre of music, shows the sound and finds what is similar."""

from genreweb.celery import app as celery_app

__all__ = ["celery_app"]
