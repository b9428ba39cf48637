"""The scheduler when the clock is set back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.utils.module_loading import import_string

DAYS_AHEAD = timedelta(days=3)
SCHEDULE = {"often": {"task": "often", "schedule": 10.0}, "daily": {"task": "daily", "schedule": 86400.0}}


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Any]:
    """The site's scheduler, as it runs for days."""
    app = Celery(set_as_current=False)
    app.conf.update(broker_url="memory://", beat_schedule=SCHEDULE)
    kind = import_string(settings.CELERY_BEAT_SCHEDULER.replace(":", "."))
    made = kind(app=app, schedule_filename=str(tmp_path / "schedule"))
    made.tick()
    yield made
    made.close()


def test_it_goes_on_when_the_clock_is_set_back(scheduler: Any) -> None:
    for entry in scheduler.schedule.values():
        if entry.name in SCHEDULE:
            entry.last_run_at = entry.default_now() + DAYS_AHEAD
    # The heap as it was before: everything is due when three days have passed once more.
    scheduler._heap = [
        event._replace(time=event.time + DAYS_AHEAD.total_seconds()) for event in scheduler._heap
    ]

    assert scheduler.tick() <= 10

    for entry in scheduler.schedule.values():
        assert entry.last_run_at <= entry.default_now()
    assert min(event.time for event in scheduler._heap) < scheduler._when(entry, 11)


def test_times_that_passed_stay(scheduler: Any) -> None:
    entry = scheduler.schedule["daily"]
    entry.last_run_at = yesterday = entry.default_now() - timedelta(hours=5)
    scheduler.tick()
    assert scheduler.schedule["daily"].last_run_at == yesterday
