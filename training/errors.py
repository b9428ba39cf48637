"""What can go wrong with clips, runs and versions, as a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from library.errors import TrackError, sentence

_MESSAGES = {
    "rights_missing": gettext_lazy("Confirm that you may give this recording away for training."),
    "unknown_genre": gettext_lazy("There is no such genre here."),
}


class TrainingError(TrackError):
    """A request about clips, runs or versions that cannot be met; answered like a `TrackError`."""

    def __init__(self, code: str, params: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, params)

    @property
    def message(self) -> str:
        return training_sentence(self.code, self.params)


def training_sentence(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Say in the reader's language what `code` means and what to do next."""
    if code in _MESSAGES:
        return str(_MESSAGES[code]).format(**(params or {}))
    return sentence(code, params)
