"""Korean says whether it is morning or afternoon before the hour; Django says it after."""

from __future__ import annotations

DATETIME_FORMAT = "Y년 n월 j일 A g:i"
