"""What two versions are compared on: test clips are known by stored labels, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from classifier import testset
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from training.services.version_report import Report, report_on
from training.tests.versions import make_clip, make_run, make_version

pytestmark = pytest.mark.django_db

SHIPPED = testset.shipped().label_of


def version(
    name: str, predictions: Mapping[str, str], truths: Mapping[str, str] | None = None, **fields: Any
) -> ModelVersion:
    said = {clip: [label, 0.8] for clip, label in predictions.items()}
    given = None if truths is None else dict(truths)
    return make_version(name, test_predictions=said, test_truths=given, **fields)


def right(report: Report) -> tuple[int, int, int]:
    paired = report.result.paired
    return paired.n, paired.right_before, paired.right_after


def test_versions_from_before_labels_were_kept_are_compared_on_the_shipped_test_clips() -> None:
    champion = version("champion", dict.fromkeys(SHIPPED, "rock"))
    candidate = version("candidate", SHIPPED)
    rock = sum(label == "rock" for label in SHIPPED.values())
    report = report_on(candidate, champion)
    assert (report.tested, report.heldout) == (290, 0)
    assert right(report) == (290, rock, 290)


def test_the_label_of_a_clip_is_not_read_from_its_name() -> None:
    # "blues.wav" is jazz, and a clip without a known label is not compared.
    truths = {"blues.wav": "jazz", str(uuid4()): "pop"}
    champion = version("champion", {**dict.fromkeys(truths, "blues"), "rock.00999": "rock"}, truths)
    candidate = version("candidate", {**truths, "rock.00999": "rock"}, truths)
    report = report_on(candidate, champion)
    assert report.tested == 2
    assert right(report) == (2, 0, 2)
    assert {change.label for change in report.result.genres} == {"jazz", "pop"}


def test_a_candidate_cannot_relabel_what_the_champion_was_tested_on() -> None:
    own = str(uuid4())
    champion = version("champion", {**SHIPPED, own: "pop"}, {own: "pop"})
    wrong = dict.fromkeys([*SHIPPED, own], "disco")
    report = report_on(version("liar", wrong, wrong, source=ModelVersion.Source.IMPORTED), champion)
    disco = sum(label == "disco" for label in SHIPPED.values())
    assert right(report) == (291, 291, disco)
    assert not report.result.is_open


@pytest.mark.parametrize("truths", [[], "none", {"blues.00012": 3}, {"x": None}])
def test_labels_that_are_none_count_as_none(truths: Any) -> None:
    champion = make_version("champion", test_predictions={"x": ["rock", 0.5]}, test_truths=truths)
    assert report_on(version("candidate", {"x": "rock"}), champion).tested == 0


def test_held_out_clips_are_compared_beside_test_clips(owner: User) -> None:
    champion = version("champion", SHIPPED)
    candidate = version("candidate", SHIPPED)
    clip = make_clip(owner, "rock")
    said = {"genre": "rock", "champion": ["pop", 0.5], "candidate": ["rock", 0.5]}
    make_run(candidate, [(clip, "holdout")], holdout={"champion": champion.pk, "clips": {str(clip.pk): said}})
    report = report_on(candidate, champion)
    assert (report.tested, report.heldout) == (290, 1)
    assert right(report) == (291, 290, 291)
