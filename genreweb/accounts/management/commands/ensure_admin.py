"""Make the first administrator from the environment."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from genreweb.accounts.addresses import ensure_address
from genreweb.accounts.models import User


class Command(BaseCommand):
    help = (
        "Make an administrator from GENREWEB_ADMIN_EMAIL and GENREWEB_ADMIN_PASSWORD. May run at every "
        "start: an administrator who is there already stays as they are, password included."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        email, password = settings.ADMIN_EMAIL.strip().lower(), settings.ADMIN_PASSWORD
        if not email:
            if password:
                raise CommandError("GENREWEB_ADMIN_PASSWORD is set, GENREWEB_ADMIN_EMAIL is not: set both.")
            if not User.objects.filter(is_superuser=True, is_active=True).exists():
                self.stdout.write("There is no administrator yet. Make one: python manage.py createsuperuser")
            return
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"GENREWEB_ADMIN_EMAIL is not an e-mail address: {email}") from error
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            self._create(email, password)
        elif user.is_superuser:
            ensure_address(user=user, verified=True)
            self.stdout.write(f"{email} is an administrator already.")
        else:
            self._promote(user, password)

    def _create(self, email: str, password: str) -> None:
        if not password:
            raise CommandError(f"GENREWEB_ADMIN_PASSWORD is needed to make the administrator {email}.")
        try:
            validate_password(password, User(email=email))
        except ValidationError as error:
            faults = " ".join(error.messages)
            raise CommandError(f"GENREWEB_ADMIN_PASSWORD is not good enough: {faults}") from error
        User.objects.create_superuser(email, password)
        self.stdout.write(f"Made the administrator {email}.")

    def _promote(self, user: User, password: str) -> None:
        # Where sign-up is open anybody may hold this address; only the password shows who it is.
        if not password or not user.check_password(password):
            raise CommandError(
                f"Somebody has signed up as {user.email}, with another password than "
                "GENREWEB_ADMIN_PASSWORD. Set that account's password, or choose another address."
            )
        user.is_staff = user.is_superuser = user.is_active = True
        user.save(update_fields=["is_staff", "is_superuser", "is_active"])
        ensure_address(user=user, verified=True)
        self.stdout.write(f"{user.email} is now an administrator.")
