"""Keys as people read them."""

from __future__ import annotations

from django.utils.translation import pgettext

from classifier.core.keys import Key


def named(key: Key) -> str:
    """A key in the reader's language, such as “E♭ minor”."""
    tonic = str(key).partition(" ")[0].replace("#", "♯")
    tonic = tonic if len(tonic) == 1 else tonic.replace("b", "♭")
    template = (
        pgettext("key", "%(tonic)s major") if key.mode == "major" else pgettext("key", "%(tonic)s minor")
    )
    return template % {"tonic": tonic}
