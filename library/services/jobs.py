"""What the jobs of the analysis workers have in common: their queues, and what goes wrong with a sound."""

from __future__ import annotations

from billiard.exceptions import SoftTimeLimitExceeded

from classifier.core.audio import AudioError
from genreweb.jobs import ClaimT, Failure, JobTable
from library.services import queue


class SoundJobs(JobTable[ClaimT]):
    """Jobs that read a stored sound."""

    def messages_waiting(self) -> int | None:
        return queue.waiting()

    def failure_of(self, error: Exception) -> Failure:
        if isinstance(error, AudioError):
            return Failure(error.code, error.params)
        if isinstance(error, FileNotFoundError):
            return Failure("file_missing")
        if isinstance(error, SoftTimeLimitExceeded):
            return Failure("time_limit")
        return super().failure_of(error)
