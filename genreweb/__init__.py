"""Genreweb: classifies music by genre, shows its sound and finds similar tracks."""

import gc

# What is made while Django is loaded stays: looking through it again and again is a fifth of each start.
# `TrainingConfig.ready` sets it back.
USUAL_THRESHOLD = gc.get_threshold()
gc.set_threshold(50_000, 10, 10)

from genreweb.celery import app as celery_app  # noqa: E402  # it is loaded faster like this

__all__ = ["celery_app"]
