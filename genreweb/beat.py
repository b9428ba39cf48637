"""The scheduler: Celery's, which goes on when the clock is set back."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler


class Scheduler(PersistentScheduler):
    """Starts what `genreweb.schedule` lists.

    Celery's own waits until the clock has again passed the last run, which may be days ahead once it was set
    back; meanwhile no row of a dead worker would be picked up.
    """

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Start what is due, and give the seconds until something is again."""
        ahead = [
            entry
            for entry in self.schedule.values()
            if entry.last_run_at is not None and entry.last_run_at > entry.default_now()
        ]
        for entry in ahead:
            entry.last_run_at = entry.default_now()
        if ahead:
            # Made anew from the entries.
            self._heap = None
        return float(super().tick(*arguments, **options))
