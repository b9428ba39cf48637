"""Sessions as Django keeps them in the database, read by a prepared query: every page reads one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.sessions.backends import db
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone

from genreweb.prepared_queries import PreparedQueries

_QUERIES: Final = PreparedQueries()


class SessionStore(db.SessionStore):
    """Django's own, but for how a session is found."""

    def _get_session_from_db(self) -> Any:
        try:
            found = _QUERIES.instances("key", [self.session_key, timezone.now()], like=self._like)
        except SuspiciousOperation as error:
            logging.getLogger(f"django.security.{type(error).__name__}").warning(str(error))
            found = []
        if not found:
            self._session_key = None
            return None
        return found[0]

    def _like(self) -> tuple[Any, list[Any]]:
        key, now = "?", datetime(2000, 1, 1, tzinfo=UTC)
        return self.model.objects.filter(session_key=key, expire_date__gt=now), [key, now]
