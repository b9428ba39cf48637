"""Text of strangers made fit to show: one line, nothing unseen, nothing that turns the direction of text."""

from __future__ import annotations

import unicodedata

# Between letters they choose other forms, as in Persian and Hindi, and join emoji into one.
_JOINERS = "\u200c\u200d"
_NONCHARACTERS = range(0xFDD0, 0xFDF0)


def one_line(text: str) -> str:
    """Return text in normal form (NFC), its words parted by single spaces."""
    words = visible(unicodedata.normalize("NFC", text)).split()
    return " ".join(filter(None, (word.lstrip(_JOINERS) for word in words)))


def visible(text: str) -> str:
    """Replace control characters, and those that change the direction of text, by spaces.

    Characters that Python's tables do not know yet, such as new emoji, stay.
    """
    return "".join(character if _is_shown(character) else " " for character in text)


def _is_shown(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cn":
        code = ord(character)
        return code & 0xFFFE != 0xFFFE and code not in _NONCHARACTERS
    return category[0] != "C" or character in _JOINERS
