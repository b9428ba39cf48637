"""``make demo``: a site with generated songs and two people, ready to click."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from training import demo


class Command(BaseCommand):
    help = "Fill this site with generated songs, a listener and a curator, whose passwords are printed."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("DATABASE_URL is set: the demonstration is only for a private database.")
        call_command("prepare", stdout=self.stderr)
        people = demo.build(passwords=settings.VAR_DIR / "demo_passwords.json", say=self.stdout.write)
        for email, password in people.items():
            self.stdout.write(f"  {email}  password: {password}")
