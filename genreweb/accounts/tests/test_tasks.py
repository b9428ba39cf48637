"""What the workers tidy up of accounts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from genreweb.accounts.tasks import forget_ended_sessions

pytestmark = pytest.mark.django_db


def test_forgets_sessions_that_ended_and_no_others(signed_in: Client) -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(days=1))
    forget_ended_sessions()
    assert not Session.objects.filter(session_key="old").exists()
    assert signed_in.get("/account/").status_code == 200
