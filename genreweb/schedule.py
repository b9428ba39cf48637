"""What the scheduler starts, and how often."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab


def beat_schedule(*, training: str, watches: bool = False, vectors: bool = False) -> dict[str, Any]:
    """Give Celery's schedule; `training` is ``daily``, ``weekly`` or empty."""
    schedule: dict[str, Any] = {
        "pick up what was dropped": {"task": "library.tasks.sweep", "schedule": 10.0},
        "move analyses over to the lenses": {
            "task": "library.tasks.fill_lenses",
            "schedule": 60.0,
            "options": {"queue": "bulk"},
        },
        "keep the map up with the catalogue": {
            "task": "library.tasks.keep_map",
            "schedule": 300.0,
            "options": {"queue": "bulk"},
        },
        "delete what was long in the bin": {
            "task": "library.tasks.purge_bin",
            "schedule": 3600.0,
            "options": {"queue": "bulk"},
        },
        "tidy up": {"task": "library.tasks.tidy", "schedule": 3600.0},
        "pick up dropped clips": {"task": "training.tasks.sweep_clips", "schedule": 10.0},
        "tidy up after clips": {"task": "training.tasks.tidy_clips", "schedule": 3600.0},
        "pick up lost runs": {"task": "training.tasks.sweep_runs", "schedule": 10.0},
        "tidy up after runs": {"task": "training.tasks.tidy_runs", "schedule": 3600.0},
        "forget ended sessions": {
            "task": "genreweb.accounts.tasks.forget_ended_sessions",
            "schedule": 24 * 3600.0,
        },
        "forget old answers": {"task": "genreweb.accounts.tasks.forget_old_answers", "schedule": 3600.0},
        "send webhooks again": {"task": "genreweb.accounts.tasks.sweep_webhooks", "schedule": 10.0},
        "forget old deliveries": {
            "task": "genreweb.accounts.tasks.forget_old_deliveries",
            "schedule": 3600.0,
        },
        "forget past days": {"task": "genreweb.accounts.tasks.forget_past_days", "schedule": 24 * 3600.0},
    }
    if training:
        schedule["train on what is new"] = {
            "task": "training.tasks.start_scheduled_run",
            "schedule": crontab(hour=3, minute=0, day_of_week="sun" if training == "weekly" else "*"),
        }
    if watches:
        schedule["look through the watch folder"] = {
            "task": "library.tasks.scan_watch_folder",
            "schedule": 30.0,
            # Looks that nobody has begun do not gather behind long ones.
            "options": {"queue": "bulk", "expires": 30.0},
        }
    if vectors:
        schedule["carry changes of vectors over to their engine"] = {
            "task": "library.tasks.carry_vectors",
            "schedule": 5.0,
            # A run takes all that waits by then: an hour of runs behind a long queue is enough.
            "options": {"expires": 3600.0},
        }
    return schedule
