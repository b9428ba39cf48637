"""The section about music and sounds from elsewhere: figures, goals, what is weak, and when it is absent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.models import ModelVersion
from classifier.quality.outside import outside_of
from classifier.releases import outside
from classifier.tests.stored import put_file
from training.services.releases import sync_release

pytestmark = pytest.mark.django_db

NAMES = {"rock": "Rock", "pop": "Pop"}


@pytest.fixture
def version(settings: Settings) -> ModelVersion:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    version = sync_release()
    put_file(version, "note.txt", "")
    return version


def figure(value: float, n: int = 97) -> dict[str, float | int]:
    return {"value": value, "low": max(0.0, value - 0.05), "high": min(1.0, value + 0.05), "n": n}


def answered(right: float, sure: float, when_sure: float, *, n_sure: int = 45) -> dict[str, Any]:
    return {
        "n": 97,
        "groups": 53,
        "right": figure(right),
        "sure": figure(sure),
        "right_when_sure": figure(when_sure, n_sure),
        "none_said": figure(0.18),
    }


def parts() -> dict[str, Any]:
    return {
        "modern": {
            "genres": answered(0.825, 0.464, 0.933),
            "others": answered(0.0, 0.103, 0.0),
            "network_alone": {"genres": answered(0.495, 0.4, 0.577)},
            "by_genre": {"rock": {"n": 34, "right": 0.5}, "jazz": {"n": 3, "right": 1.0}},
        },
        "microphone": {**answered(0.276, 0.01, 1.0, n_sure=1), "recordings": 98, "clips": 33},
        "non-music": {
            "speech": {"n": 30, "sure": figure(0.233, 30), "no_music": figure(0.667, 30)},
            "sounds": {"n": 99, "sure": figure(0.0, 99), "no_music": figure(0.596, 99)},
        },
    }


def write(version: ModelVersion, content: dict[str, Any], **more: Any) -> None:
    entries = {
        "format_version": outside.FORMAT_VERSION,
        "sha256": version.sha256,
        "identity": outside.identity_of(version.metadata),
        "tagger": "v",
        "parts": content,
    }
    put_file(version, outside.JSON_FILE, json.dumps(entries | more))


def page_of(client: Client) -> str:
    return client.get(reverse("classifier:quality")).content.decode()


def test_the_page_shows_figures_goals_and_what_is_weak(client: Client, version: ModelVersion) -> None:
    write(version, parts())
    page = page_of(client)
    section = page[page.index('id="outside-title"') : page.index('id="genres-title"')]
    assert "82.5&#8239;%" in section
    assert "77.5 to 87.5" in section
    assert "97 songs by 53 artists" in section
    assert "98 recordings of 33 clips" in section
    assert "“None of the ten” was said of 18.0\u202f%" in section
    # The songs' four are reached, and that of everyday sounds; too few sure recordings tell nothing.
    states = [section.count(f">{state}<") for state in ("Reached", "Missed", "Open")]
    assert states == [5, 2, 1]
    assert "100.0\u202f% of 1: too few to tell" in section
    # Nor is there an interval.
    assert "of 1</span>" in section
    assert "95.0 to 100.0" not in section
    assert "Of newer Rock it names 50.0\u202f% rightly." in section
    assert "Of speech, 23.3\u202f% is given a genre without a doubt." in section
    assert "Of everyday sounds" not in section


@pytest.mark.parametrize(
    ("path", "value", "goal"),
    [
        (("modern", "genres", "right"), 0.69, 0),
        (("modern", "genres", "right_when_sure"), 0.86, 1),
        (("modern", "genres", "sure"), 0.44, 2),
        (("modern", "others", "sure"), 0.16, 3),
        (("non-music", "sounds", "sure"), 0.06, 7),
    ],
)
def test_a_goal_is_missed_just_past_its_bar(
    version: ModelVersion, path: tuple[str, str, str], value: float, goal: int
) -> None:
    content = parts()
    content[path[0]][path[1]][path[2]] = figure(value)
    write(version, content)
    shown = outside_of(version, NAMES)
    assert shown is not None
    assert shown.goals[goal].reached is False
    expected = [True, True, True, True, False, None, False, True]
    expected[goal] = False
    assert [one.reached for one in shown.goals] == expected


def test_genres_that_were_hardly_tried_are_named(version: ModelVersion) -> None:
    write(version, parts())
    shown = outside_of(version, NAMES)
    assert shown is not None
    assert any(words.endswith("how good it is there: Pop.") for words in shown.weak)


def test_who_was_never_sure_has_no_share(version: ModelVersion) -> None:
    content = parts()
    content["microphone"]["right_when_sure"] = None
    write(version, content)
    shown = outside_of(version, NAMES)
    assert shown is not None
    assert (shown.goals[5].reached, shown.goals[5].remark) == (None, "it was never sure")


def test_without_figures_of_its_own_answers_the_section_is_absent(
    client: Client, version: ModelVersion
) -> None:
    assert "outside-title" not in page_of(client)
    broken = parts()
    broken["modern"]["genres"]["right"] = {"value": 2.0, "low": 0, "high": 1, "n": 3}
    for content, more in (
        (parts(), {"sha256": "0" * 64}),
        (parts(), {"identity": "0" * 64}),
        (parts(), {"format_version": 99}),
        ({}, {}),
        ({"modern": []}, {}),
        ({"non-music": {}}, {}),
        ({"microphone": {"recordings": 3}}, {}),
        (broken, {}),
    ):
        write(version, content, **more)
        assert outside_of(version, NAMES) is None
    assert "outside-title" not in page_of(client)
    # What another program measured as well is passed over.
    write(version, {"one of another program": 3})
    assert outside_of(version, NAMES) is None
    write(version, parts() | {"one of another program": 3})
    assert outside_of(version, NAMES) is not None
