"""The part of the page that compares the classifier with other methods."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier import version_files
from classifier.core.metrics import COVERAGES
from classifier.models import ModelVersion
from classifier.quality.methods import comparison_of
from classifier.releases import current_release, evaluation
from classifier.tests.stored import put_file
from training.services.releases import sync_release

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def result(method: str, protocol: str, accuracy: float, **more: Any) -> dict[str, Any]:
    interval = {"value": accuracy, "low": accuracy - 0.05, "high": min(accuracy + 0.05, 1.0)}
    return {
        "method": method,
        "protocol": protocol,
        "seeds": [0],
        "folds": [1],
        "n_folds": 1,
        "n": 290,
        "settings": {},
        "accuracy": interval,
        "macro_f1": interval,
        "deviation": None,
        "calibration_error": 0.04,
        "coverage": {f"{share:g}": accuracy for share in COVERAGES},
        **more,
    }


@pytest.fixture
def version() -> ModelVersion:
    """The shipped version, without a table."""
    version = sync_release()
    put_file(version, "note.txt", "")
    return version


def write(version: ModelVersion, *results: dict[str, Any], **more: Any) -> None:
    content = {
        "format_version": 1,
        "sha256": version.sha256,
        "results": list(results),
        "unfit": [{"method": "release", "protocol": "segment", "reason": "It learnt them."}],
        **more,
    }
    put_file(version, evaluation.JSON_FILE, json.dumps(content))


def page_of(client: Client) -> str:
    return client.get(reverse("classifier:quality")).content.decode()


def test_methods_are_shown_best_first_in_a_table_per_protocol(client: Client, version: ModelVersion) -> None:
    write(
        version,
        result("gaussian_knn", "segment", 0.913, n=999),
        result("gaussian_knn", "filtered", 0.397),
        result("release", "filtered", 0.612),
    )
    tables = comparison_of(version)
    assert [(table.name, [row.name for row in table.rows]) for table in tables] == [
        ("filtered", ["release", "gaussian_knn"]),
        ("segment", ["gaussian_knn"]),
    ]
    assert [table.leaky for table in tables] == [False, True]
    page = page_of(client)
    assert page.index("61.2") < page.index("39.7") < page.index("91.3")
    assert page.count("Leaks: do not believe it") == 1
    assert "34.7 to 44.7" in page
    assert "999 pieces" in page
    assert "What answers here may have learnt clips" in page


@pytest.mark.parametrize(
    ("row", "words", "reached"),
    [
        (result("release", "filtered", 0.612), "67", False),
        (result("release", "filtered", 0.674), "67", True),
        (result("residual_cnns", "segment", 0.951), "94", True),
        (result("residual_cnns", "segment", 0.931), "94", False),
        (result("residual_cnns", "track", 0.9, folds=[1, 2], n_folds=10), "86", None),
        (result("residual_cnn", "filtered", 0.7), "64", None),
        (result("residual_cnn", "filtered", 0.65, seeds=[0, 1, 2, 3, 4], deviation=0.01), "64", True),
    ],
)
def test_a_goal_is_reached_missed_or_open(
    version: ModelVersion, row: dict[str, Any], words: str, reached: bool | None
) -> None:
    write(version, row)
    goals = {goal.words: goal for goal in comparison_of(version)[0].goals}
    goal = next(goal for text, goal in goals.items() if f"at least {words}" in text)
    assert goal.reached is reached
    assert f"{100 * row['accuracy']['value']:.1f}" in goal.remark


def test_goals_are_told_apart_by_words(client: Client, version: ModelVersion) -> None:
    write(version, result("release", "filtered", 0.68, coverage={"0.6": 0.79}))
    page = page_of(client).split('id="comparison-title"')[1].split("</section>")[0]
    assert page.count("Reached") == 1
    assert page.count("Missed") == 1
    assert page.count("Open") == 1
    assert "not measured yet" in page


def test_what_figures_rest_on_is_said(version: ModelVersion) -> None:
    write(
        version,
        result(
            "mfcc_cnn",
            "track",
            0.7,
            n=400,
            folds=[1, 2, 3, 4],
            n_folds=10,
            seeds=[0, 1],
            settings={"epochs": 30},
        ),
        result("feature_mlp", "track", 0.6, settings={"features": 57}),
    )
    extents = {row.name: row.extent for row in comparison_of(version)[0].rows}
    assert extents["mfcc_cnn"] == "400 clips, 4 of 10 parts, 2 seeds, 30 epochs"
    assert extents["feature_mlp"] == "290 clips, 57 features"


def test_a_version_without_a_table_of_its_own_says_so(client: Client, version: ModelVersion) -> None:
    told = "came without a table"
    assert told in page_of(client)
    write(version, result("release", "filtered", 0.6), sha256="0" * 64)
    assert comparison_of(version) == []
    assert told in page_of(client)
    put_file(version, evaluation.JSON_FILE, "{")
    assert told in page_of(client)
    write(version, result("release", "filtered", 0.6))
    default_storage.delete(f"{version.location}/{evaluation.JSON_FILE}")
    assert told in page_of(client)


@pytest.mark.parametrize(
    "broken",
    [
        {"accuracy": "a lot"},
        {"accuracy": {"value": 0.6, "low": 0.5, "high": "1"}},
        {"macro_f1": {"value": -1, "low": 0, "high": 1}},
        {"calibration_error": None},
        {"deviation": [1]},
        {"coverage": {"0.4": 0.9}},
        {"n": "many"},
        {"n": True},
        {"seeds": 3},
        {"folds": None, "n_folds": 2},
        {"settings": {"epochs": "30"}},
        {"settings": "none"},
        {"protocol": ["filtered"]},
        {"method": 1},
    ],
)
def test_a_table_of_another_site_that_makes_no_sense_is_not_shown(
    broken: dict[str, Any], client: Client, version: ModelVersion
) -> None:
    write(version, result("release", "filtered", 0.6))
    assert comparison_of(version)
    write(version, {**result("release", "filtered", 0.6), **broken})
    assert comparison_of(version) == []
    assert "came without a table" in page_of(client)


def test_a_table_is_read_from_the_storage_once(
    version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(version, result("release", "filtered", 0.6))
    first = comparison_of(version)
    monkeypatch.setattr(version_files, "read", lambda *_given: pytest.fail("read again"))
    assert comparison_of(version) == first


@pytest.mark.parametrize("source", ModelVersion.Source.values)
def test_a_version_has_the_table_among_its_files_wherever_it_came_from(
    source: str, version: ModelVersion
) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(source=source)
    version.refresh_from_db()
    assert comparison_of(version) == []
    write(version, result("release", "filtered", 0.6))
    assert [table.name for table in comparison_of(version)] == ["filtered"]


def test_the_shipped_table_is_of_the_shipped_network() -> None:
    content = evaluation.read(current_release())
    assert content is not None
    version = sync_release()
    assert content["sha256"] == version.sha256
    release = next(row for row in content["results"] if row["method"] == "release")
    test = version.metadata["test"]
    assert release["accuracy"]["value"] == pytest.approx(test["accuracy"]["value"], abs=1e-9)
    assert release["calibration_error"] == pytest.approx(test["calibration_error"], abs=1e-3)
    assert release["confusion"] == test["confusion"]
    assert {table.name for table in comparison_of(version)} == {"filtered", "artist", "track", "segment"}
