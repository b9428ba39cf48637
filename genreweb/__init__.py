"""Genreweb: classifies music by genre, shows its sound and finds similar tracks."""

from genreweb.celery import app as celery_app

__all__ = ["celery_app"]
