"""Putting versions into service, and back: the gate, the log, and who sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connection
from django.utils.translation import override
from pytest_django import Settings

from classifier import registry
from classifier.models import ModelVersion
from genreweb.accounts.models import User
from genreweb.embedded.paths import REPOSITORY
from training.errors import TrainingError
from training.models import Promotion, Receipt
from training.services.promotion import promote, rollback, serve_release, version_before
from training.tests.versions import (
    clips_of_test_set,
    damage,
    make_clip,
    make_run,
    make_version,
    put_into_service,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_loaded", None)
    monkeypatch.setattr(registry, "_failed", None)


@pytest.fixture
def champion(db: None) -> ModelVersion:
    return put_into_service(make_version("champion", wrong=clips_of_test_set("rock", 10)))


def in_service() -> str:
    return ModelVersion.objects.get(is_in_service=True).name


def test_a_better_candidate_is_put_into_service(champion: ModelVersion, curator: User) -> None:
    better = make_version("better", wrong=clips_of_test_set("rock", 2))
    assert registry.in_service().version == champion
    promotion = promote(version=better, by=curator, reason="  It finds\nmore rock. ")
    assert (promotion.action, promotion.version, promotion.former) == ("promote", better, champion)
    assert (promotion.by, promotion.reason, promotion.overridden) == (curator, "It finds more rock.", False)
    assert promotion.gate["open"] is True
    assert (promotion.gate["better"], promotion.gate["worse"]) == (8, 0)
    assert in_service() == "better"
    assert registry.in_service().version == better


def test_a_worse_candidate_is_refused_with_the_reasons(champion: ModelVersion, curator: User) -> None:
    worse = make_version("worse", wrong=clips_of_test_set("rock", 20))
    with pytest.raises(TrainingError) as refused:
        promote(version=worse, by=curator, reason="Try")
    assert refused.value.code == "gate_refused"
    assert "280 clips right before, 270 now" in refused.value.message
    assert "rock loses 34 points: 66 % found before, 31 % now" in refused.value.message
    assert in_service() == "champion"
    assert not Promotion.objects.exists()


def test_the_gate_can_be_overridden_with_a_reason(champion: ModelVersion, curator: User) -> None:
    worse = make_version("worse", wrong=clips_of_test_set("rock", 20))
    with pytest.raises(TrainingError, match="act_reason"):
        promote(version=worse, by=curator, reason=" \n", override=True)
    assert in_service() == "champion"
    promotion = promote(version=worse, by=curator, reason="Trying it for a day.", override=True)
    assert promotion.overridden is True
    assert [refusal["code"] for refusal in promotion.gate["refusals"]] == ["worse", "genre_lost"]
    assert in_service() == "worse"


def test_an_open_gate_is_not_overridden(champion: ModelVersion, curator: User) -> None:
    better = make_version("better")
    assert promote(version=better, by=curator, reason="Better.", override=True).overridden is False


def test_a_version_that_was_never_measured_is_refused(champion: ModelVersion, curator: User) -> None:
    unknown = make_version("unknown", test_predictions=None)
    with pytest.raises(TrainingError) as refused:
        promote(version=unknown, by=curator, reason="Try")
    assert "never measured" in refused.value.message


@pytest.mark.parametrize(
    "said", [[], "all right", {"blues.00001": "blues"}, {"blues.00001": ["blues", "sure"]}, {"x": [1, 0.5]}]
)
def test_verdicts_that_make_no_sense_count_as_none(
    said: object, champion: ModelVersion, curator: User
) -> None:
    with pytest.raises(TrainingError, match="gate_refused"):
        promote(version=make_version("odd", test_predictions=said), by=curator, reason="Try")


def test_what_cannot_be_loaded_is_not_put_into_service(champion: ModelVersion, curator: User) -> None:
    bad = make_version("bad")
    damage(bad)
    with pytest.raises(TrainingError) as refused:
        promote(version=bad, by=curator, reason="Try", override=True)
    assert refused.value.code == "version_damaged"
    assert "model.tflite of bad is damaged" in refused.value.message
    assert in_service() == "champion"


def test_what_is_in_service_is_not_put_there_again(champion: ModelVersion, curator: User) -> None:
    with pytest.raises(TrainingError, match="already_in_service"):
        promote(version=champion, by=curator, reason="Again")
    assert not Promotion.objects.exists()


def test_a_reason_has_an_end(champion: ModelVersion, curator: User) -> None:
    with pytest.raises(TrainingError, match="act_reason_long"):
        promote(version=make_version("better"), by=curator, reason="x" * 501)


@pytest.mark.slow
def test_rolling_back_twice_goes_back_twice(champion: ModelVersion, curator: User, staff: User) -> None:
    for name in ("second", "third"):
        promote(version=make_version(name), by=curator, reason=f"Here is the {name}.")
    assert registry.in_service().version.name == "third"
    first_act = rollback(by=staff, reason="It calls everything disco.")
    assert (first_act.action, first_act.version.name, first_act.by) == ("rollback", "second", staff)
    assert first_act.former is not None
    assert first_act.former.name == "third"
    assert registry.in_service().version.name == "second"
    rollback(by=staff, reason="Still.")
    assert in_service() == "champion"
    with pytest.raises(TrainingError, match="nothing_before"):
        rollback(by=staff, reason="Further.")
    assert [row.reason for row in Promotion.objects.all()][:2] == ["Still.", "It calls everything disco."]
    assert in_service() == "champion"


def test_rolling_back_needs_a_reason_and_files(champion: ModelVersion, curator: User) -> None:
    promote(version=make_version("second"), by=curator, reason="Better.")
    with pytest.raises(TrainingError, match="act_reason"):
        rollback(by=curator, reason="")
    damage(champion)
    with pytest.raises(TrainingError, match="version_damaged"):
        rollback(by=curator, reason="Back.")
    assert in_service() == "second"


def test_a_newer_release_that_took_over_by_itself_goes_back(curator: User) -> None:
    older = make_version("1", source=ModelVersion.Source.RELEASE)
    assert serve_release(older, is_new=True) is not None
    assert serve_release(older, is_new=False) is None
    newer = make_version("2", source=ModelVersion.Source.RELEASE)
    promotion = serve_release(newer, is_new=True)
    assert promotion is not None
    assert (promotion.former, promotion.by, promotion.is_by_program) == (older, None, True)
    assert version_before() == older
    rollback(by=curator, reason="The old one, please.")
    assert in_service() == "1"
    assert version_before() is None
    assert serve_release(newer, is_new=False) is None
    assert in_service() == "1"


def test_a_newer_release_leaves_what_a_curator_chose(champion: ModelVersion) -> None:
    assert serve_release(make_version("2", source=ModelVersion.Source.RELEASE), is_new=True) is None
    assert in_service() == "champion"
    assert not Promotion.objects.exists()


def test_what_went_into_service_without_a_promotion_has_nothing_before(champion: ModelVersion) -> None:
    put_into_service(make_version("later"))
    assert version_before() is None


def test_a_reason_of_the_program_is_shown_in_the_language_of_the_reader(curator: User) -> None:
    first = serve_release(make_version("1", source=ModelVersion.Source.RELEASE), is_new=True)
    assert first is not None
    with override("ko"):
        assert first.display_reason != first.reason
    first.by = curator
    with override("ko"):
        assert first.display_reason == first.reason


# --- contributors --------------------------------------------------------------------------------------
def test_contributors_get_one_receipt_each(
    champion: ModelVersion, curator: User, owner: User, other: User
) -> None:
    better = make_version("better", wrong=clips_of_test_set("rock", 2))
    mine = [make_clip(owner, "rock") for _ in range(3)]
    theirs = make_clip(other, "jazz")
    gone, tested = make_clip(other, "jazz"), make_clip(other, "jazz")
    make_run(
        better,
        [
            *((clip, split) for clip, split in zip(mine, ("train", "valid", "holdout"), strict=True)),
            (theirs, "train"),
            (gone, "train"),
            (tested, "test"),
        ],
    )
    gone.delete()
    promote(version=better, by=curator, reason="Better.")
    first, second = Receipt.objects.order_by("user")
    assert (first.user, first.version, first.clips) == (owner, better, 3)
    assert first.genres == {
        "rock": {"clips": 3, "before": pytest.approx(19 / 29), "after": pytest.approx(27 / 29)}
    }
    assert (second.user, second.clips) == (other, 1)
    assert second.genres == {"jazz": {"clips": 1, "before": 1.0, "after": 1.0}}

    rollback(by=curator, reason="Back.")
    promote(version=better, by=curator, reason="Again.")
    assert Receipt.objects.count() == 2


def test_held_out_clips_count_and_teach_what_a_new_genre_is_worth(
    champion: ModelVersion, curator: User, owner: User
) -> None:
    labels = [*champion.labels, "chiptune"]
    taught = make_version("taught", wrong=clips_of_test_set("rock", 2))
    ModelVersion.objects.filter(pk=taught.pk).update(labels=labels)
    taught.refresh_from_db()
    clips = [make_clip(owner, "chiptune") for _ in range(4)]
    said = {
        str(clip.pk): {
            "genre": "chiptune",
            "champion": ["disco", 0.9],
            "candidate": ["chiptune" if number else "disco", 0.7],
        }
        for number, clip in enumerate(clips)
    }
    said[str(uuid4())] = {"genre": "rock", "champion": ["rock", 0.9], "candidate": ["rock", 0.7]}
    make_run(taught, [(clip, "holdout") for clip in clips], holdout={"champion": champion.pk, "clips": said})
    promotion = promote(version=taught, by=curator, reason="It knows chiptune.")
    assert promotion.gate["n"] == 291
    receipt = Receipt.objects.get()
    assert receipt.genres == {"chiptune": {"clips": 4, "before": None, "after": 0.75}}


# --- processes -----------------------------------------------------------------------------------------
FOLLOWER = """
import sys, django
django.setup()
from django.db import connection
from django.utils.translation import override
connection.settings_dict["NAME"] = sys.argv[1]
from classifier import registry
for _line in sys.stdin:
    print(registry.in_service().version.name, flush=True)
"""


@pytest.fixture
def on_disk(settings: Settings) -> None:
    """Keep files where another process finds them."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "genreweb.storage.SignedFileSystemStorage",
            "OPTIONS": {"location": settings.MEDIA_ROOT},
        },
    }


@pytest.fixture
def worker(on_disk: None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, connection.settings_dict["NAME"]],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "genreweb.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_another_process_answers_with_the_promoted_version_at_once(
    worker: subprocess.Popen[str], curator: User
) -> None:
    questions, answers = worker.stdin, worker.stdout
    assert questions is not None
    assert answers is not None

    def asked() -> str:
        questions.write("?\n")
        questions.flush()
        return str(answers.readline()).strip()

    put_into_service(make_version("champion"))
    assert asked() == "champion"
    promote(version=make_version("better"), by=curator, reason="Better.")
    assert asked() == "better"
    rollback(by=curator, reason="No.")
    assert asked() == "champion"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_promote_at_once_each_is_in_the_log_and_one_in_service(
    on_disk: None, curator: User
) -> None:
    put_into_service(make_version("champion"))
    versions = [make_version(name) for name in ("left", "right")]
    barrier = threading.Barrier(2)

    def act(version: ModelVersion) -> None:
        barrier.wait()
        try:
            promote(version=version, by=curator, reason="Mine.")
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=[version]) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last, first = Promotion.objects.all()
    assert ModelVersion.objects.get(is_in_service=True) == last.version
    assert last.former == first.version
    assert first.former is not None
    assert first.former.name == "champion"
