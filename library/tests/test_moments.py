"""How long ago something was, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from library.templatetags.sound import ago, moment


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0.4, "just now", "방금"),
        (1, "1 second ago", "1초 전"),
        (59.9, "59 seconds ago", "59초 전"),
        (60, "1 minute ago", "1분 전"),
        (240, "4 minutes ago", "4분 전"),
        (3599, "59 minutes ago", "59분 전"),
        (3600, "1 hour ago", "1시간 전"),
        (19.5 * 3600, "19 hours ago", "19시간 전"),
    ],
)
def test_words_are_those_with_which_browsers_count_on(seconds: float, english: str, korean: str) -> None:
    assert ago(timedelta(seconds=seconds)) == english
    with translation.override("ko"):
        assert ago(timedelta(seconds=seconds)) == korean


def test_what_is_older_than_a_day_or_yet_to_come_has_its_date() -> None:
    now = timezone.now()
    assert moment(now - timedelta(minutes=5)) == "5 minutes ago"
    for when in (now - timedelta(days=3), now + timedelta(days=3)):
        assert str(timezone.localdate(when).year) in moment(when)
