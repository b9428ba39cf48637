"""What the workers run for training. Each task fetches nothing itself: it calls a service."""

from __future__ import annotations
