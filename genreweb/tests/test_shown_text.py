"""Text of strangers is made fit to show, and nothing else of it is changed."""

from __future__ import annotations

import pytest

from genreweb.shown_text import one_line, visible


@pytest.mark.parametrize(
    "text",
    [
        *("می‌خواهم", "क्‍ष", "👩‍👩‍👧‍👦 family", "❤️ heart", "שלום עולם", "노래 1"),
        # In no table of Unicode that Python 3.11 to 3.14 has.
        *("\U0001fae8 shaking", "\U0001fadd new"),
    ],
)
def test_text_that_people_write_stays(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x07c", "a b c"),
        (" a \r\n\t b ", "a b"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("\u200b\u200d\u200c", ""),
        ("\u200d a", "a"),
        ("a\ufffeb\ufdd0c\U0001ffffd", "a b c d"),
        ("e\u0301", "é"),
    ],
)
def test_what_is_unseen_becomes_a_space(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_lines_are_kept_where_there_may_be_several() -> None:
    assert visible("a\u200d\u202eb ") == "a\u200d b "
