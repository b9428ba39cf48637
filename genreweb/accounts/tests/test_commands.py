"""Making administrators on the server."""

from __future__ import annotations

from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from genreweb.accounts.addresses import is_verified
from genreweb.accounts.models import CURATORS, User
from genreweb.accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def run(settings: Settings, email: str, password: str) -> str:
    settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD = email, password
    out = StringIO()
    call_command("ensure_admin", stdout=out)
    return out.getvalue()


def test_makes_the_administrator(settings: Settings) -> None:
    assert "Made" in run(settings, "Root@Example.org", PASSWORD)
    user = User.objects.get(email="root@example.org")
    assert user.is_superuser
    assert user.is_staff
    assert user.check_password(PASSWORD)
    assert is_verified(user)


def test_a_second_run_changes_nothing_not_even_the_password(settings: Settings) -> None:
    run(settings, "root@example.org", PASSWORD)
    assert "already" in run(settings, "root@example.org", "another password entirely")
    [user] = User.objects.all()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("not an address", PASSWORD, "GENREWEB_ADMIN_EMAIL is not an e-mail address"),
        ("root@example.org", "short", "too short"),
        ("root@example.org", "root@example.org", "too similar"),
        ("root@example.org", "", "GENREWEB_ADMIN_PASSWORD is needed"),
        ("", PASSWORD, "set both"),
    ],
)
def test_says_what_is_wrong_and_makes_nobody(
    settings: Settings, email: str, password: str, said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        run(settings, email, password)
    assert not User.objects.exists()


def test_with_nothing_set_says_how_to_make_the_first_one(settings: Settings) -> None:
    assert "createsuperuser" in run(settings, "", "")
    User.objects.create_superuser("root@example.org", PASSWORD)
    assert run(settings, "", "") == ""


def test_raises_an_ordinary_account_only_if_the_password_is_its_own(settings: Settings, person: User) -> None:
    with pytest.raises(CommandError, match="signed up"):
        run(settings, person.email, "another password entirely")
    person.refresh_from_db()
    assert not person.is_superuser
    run(settings, person.email, PASSWORD)
    person.refresh_from_db()
    assert person.is_superuser
    assert is_verified(person)


def test_createsuperuser_asks_for_no_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--email", "Root@Example.org", stdout=StringIO())
    user = User.objects.get()
    assert (user.email, user.is_superuser) == ("root@example.org", True)
    assert is_verified(user)
    with pytest.raises(CommandError, match="already"):
        call_command("createsuperuser", "--noinput", "--email", "root@example.org", stdout=StringIO())


def test_the_migrations_make_the_group_of_curators() -> None:
    # Tests that commit leave no row of the migrations behind.
    Group.objects.filter(name=CURATORS).delete()
    migration = import_module("genreweb.accounts.migrations.0002_curators")
    for _ in range(2):
        with connection.schema_editor() as editor:
            migration.add_group(apps, editor)
    assert Group.objects.filter(name=CURATORS).count() == 1
