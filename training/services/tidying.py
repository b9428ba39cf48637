"""Remove files of clips without a row, left by a crash between writing a file and its row."""

from __future__ import annotations

from library.services.tidying import tidy_folders
from training.models import Clip


def tidy() -> int:
    """Delete old stored files of clips that belong to no row; return their number."""
    return tidy_folders(("clips",), known=_known)


def _known(names: list[str]) -> set[str]:
    known: set[str] = set()
    for field in ("sound", "features"):
        known.update(Clip.objects.filter(**{f"{field}__in": names}).values_list(field, flat=True))
    return known
