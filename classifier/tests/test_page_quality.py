"""The page that says how good the classifier is: measured figures, or that there are none."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from classifier.models import ModelVersion
from classifier.quality.card import card_of
from training.services.releases import sync_release

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def test_the_page_shows_what_the_card_of_the_version_in_service_says(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = sync_release()
    test = version.metadata["test"]
    with django_assert_num_queries(3):
        page = client.get(reverse("classifier:quality")).content.decode()
    assert f"{round(100 * test['accuracy']['value'])}" in page
    assert f"of {test['n']} test clips" in page
    assert page.count('class="number confusion-found"') == len(version.labels)


def test_every_clip_is_in_the_table_once() -> None:
    card = card_of(sync_release())
    assert card is not None
    assert sum(row.clips for row in card.genres) == card.clips
    for place, row in enumerate(card.genres):
        assert [cell.right for cell in row.cells].index(True) == place
        assert row.recall == round(100 * row.cells[place].count / row.clips)


def test_a_version_that_was_never_measured_says_so(client: Client) -> None:
    assert "No classifier is in service yet" in client.get(reverse("classifier:quality")).content.decode()
    ModelVersion.objects.create(
        name="ours",
        source="trained",
        location="x",
        sha256="0" * 64,
        labels=["a"],
        feature_version="1",
        is_in_service=True,
    )
    assert "never measured" in client.get(reverse("classifier:quality")).content.decode()


def test_a_genre_without_test_clips_has_no_share(client: Client) -> None:
    version = sync_release()
    test = version.metadata["test"]
    test["recall"]["chiptune"] = None
    test["confusion"] = [[*row, 0] for row in test["confusion"]] + [[0] * (len(version.labels) + 1)]
    version.labels = [*version.labels, "chiptune"]
    version.save(update_fields=["labels", "metadata"])
    card = card_of(version)
    assert card is not None
    assert (card.genres[-1].recall, card.genres[-1].clips) == (None, 0)
    assert client.get(reverse("classifier:quality")).status_code == 200


def test_pairs_of_channels_are_one_row(client: Client) -> None:
    version = sync_release()
    figures = {
        "room": {"accuracy": 0.5, "confident": 0.4, "confident_accuracy": 0.9},
        "room + codec": {"accuracy": 0.4, "confident": 0.3, "confident_accuracy": 0.8},
        "room + 8 kHz": {"accuracy": 0.2, "confident": 0.1, "confident_accuracy": 0.4},
        "8 kHz": {"accuracy": 0.3, "confident": 0.0, "confident_accuracy": None},
    }
    version.metadata["test_channels"] = figures
    version.save(update_fields=["metadata"])
    card = card_of(version)
    assert card is not None
    assert [(row.accuracy, row.confident, row.confident_accuracy) for row in card.channels] == [
        (50, 40, 90),
        (30, 0, None),
        (30, 20, 70),
    ]
    assert "2 pairs" in card.channels[-1].name
    page = client.get(reverse("classifier:quality")).content.decode()
    assert "An echoing room" in page
    # The page says “None of the ten” of music; no figure may be missing.
    assert "None" not in page.replace("None of the ten", "")
