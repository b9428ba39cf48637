"""``make demo``: what it makes, that a second start makes nothing twice, that it refuses a real database."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from classifier.models import ModelVersion
from genreweb.accounts.models import User
from library.models import Track
from training import demo
from training.models import Clip
from training.services.training_data import LEAST_CLIPS


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two songs of each kind and three clips: the rest is more of the same."""
    monkeypatch.setattr(demo, "CATALOGUE", demo.CATALOGUE[:2])
    monkeypatch.setattr(demo, "OWN", demo.OWN[2:])
    monkeypatch.setattr(demo, "APPROVED", 2)
    monkeypatch.setattr(demo, "WAITING", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_everything_is_made_once(
    classifier_in_service: ModelVersion, tmp_path: Path, stored: Callable[[], list[str]]
) -> None:
    passwords = tmp_path / "passwords.json"
    first = demo.build(passwords=passwords, say=str)
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    listener, curator = (User.objects.get(email=email) for email in (demo.LISTENER, demo.CURATOR))
    assert listener.check_password(first[demo.LISTENER])
    assert not listener.is_curator
    assert curator.check_password(first[demo.CURATOR])
    assert curator.is_curator
    assert not curator.is_staff
    assert set(Track.objects.values_list("status", flat=True)) == {Track.Status.DONE}
    assert Track.objects.filter(owner=listener).count() == 2
    assert Track.objects.in_catalogue().count() == 2
    assert sorted(Clip.objects.values_list("status", flat=True)) == ["approved", "approved", "pending"]

    files = stored()
    assert demo.build(passwords=passwords, say=str) == first
    assert stored() == files
    assert (Track.objects.count(), Clip.objects.count(), User.objects.count()) == (4, 3, 2)


def test_enough_clips_for_a_quick_run() -> None:
    assert demo.APPROVED >= LEAST_CLIPS
    assert demo.WAITING > 0


def test_a_forgotten_password_is_set_again(classifier_in_service: ModelVersion, tmp_path: Path) -> None:
    User.objects.create_user(demo.LISTENER, "somebody else's")
    people = demo._people(tmp_path / "passwords.json")
    assert User.objects.get(email=demo.LISTENER).check_password(people[demo.LISTENER])


def test_a_database_of_others_is_left_alone(db: None, settings: Settings) -> None:
    settings.EMBEDDED = False
    with pytest.raises(CommandError, match="DATABASE_URL is set"):
        call_command("demo")
    assert not User.objects.exists()
