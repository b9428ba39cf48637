"""Store the shipped genres and classifier."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from training.services.releases import sync_release


class Command(BaseCommand):
    help = "Store the shipped genres and classifier; put the classifier into service if none is."

    def handle(self, *args: Any, **options: Any) -> None:
        version = sync_release()
        state = "in service" if version.is_in_service else "stored"
        self.stdout.write(f"Classifier {version.name}: {state}.")
