"""The page of training runs: which kinds can be chosen, and what keeps a run from starting."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from classifier.models import Genre, ModelVersion
from genreweb.accounts.models import User
from training import run_messages
from training.errors import TrainingError
from training.models import DatasetSnapshot, TrainingRun
from training.tests.job_files import make_run, teach

Genres = dict[str, Genre]
URL = "/training/runs/"


@pytest.fixture
def desk(client: Client, curator: User, classifier_in_service: ModelVersion) -> Client:
    client.force_login(curator)
    return client


def tag(html: str, pattern: str) -> str:
    found = re.search(f"<[^>]*{pattern}[^>]*>", html)
    assert found, pattern
    return found[0]


def test_with_nothing_new_neither_kind_can_be_chosen(desk: Client, genres: Genres) -> None:
    html = desk.get(URL).content.decode()
    for kind in ("quick", "full"):
        assert " disabled" in tag(html, f'id="kind-{kind}"')
    form = html[html.index('id="run-form"') :]
    assert " disabled" in tag(form, 'type="submit"')
    assert "Neither kind of run could start now" in form
    # What was asked all the same is refused beside the button.
    answer = desk.post(URL, {"kind": "quick"})
    assert answer.status_code == 422
    start = answer.content.decode().partition('class="actions run-start"')[2]
    assert "Nothing is new" in start.partition("</form>")[0]
    assert not TrainingRun.objects.exists()


def test_the_kind_that_could_start_is_chosen(desk: Client, owner: User, genres: Genres) -> None:
    teach(genres, names=("blues",), each=3, contributor=owner)
    html = desk.get(URL).content.decode()
    assert " checked" in tag(html, 'id="kind-quick"')
    assert " disabled" in tag(html, 'id="kind-full"')
    start = html.partition('class="actions run-start"')[2]
    assert " disabled" not in tag(start, 'type="submit"')
    # One estimate of the time, wherever it is told.
    (told,) = re.findall(r"<strong>Quick</strong> <span class=\"quiet\">about ([^<]+)</span>", html)
    assert f"A quick one takes about {told}." in html
    assert "0 genres" in html
    assert desk.post(URL, {"kind": "quick"}).status_code == 302
    assert TrainingRun.objects.get().kind == "quick"


def test_a_run_lists_its_clips_in_the_order_of_the_genres(
    desk: Client, curator: User, genres: Genres
) -> None:
    Genre.objects.filter(slug="blues").update(position=500)
    counts = {slug: {"train": 3} for slug in ("pop", "jazz", "gone", "blues")}
    snapshot = DatasetSnapshot.objects.create(digest="1" * 64, counts=counts)
    run = make_run(requested_by=curator, snapshot=snapshot)
    html = desk.get(f"{URL}{run.pk}/").content.decode()
    table = html[html.index("clips-title") :]
    rows = re.findall(r'<th scope="row">.*?</span> (.+?)\s*</th>', table)
    assert rows[:3] == ["Jazz", "Pop", "Blues"]
    assert len(rows) == 4


@pytest.mark.parametrize(("clips", "words"), [(1, "1 clip was"), (2, "2 clips were")])
def test_lines_of_a_log_have_plural_forms(clips: int, words: str) -> None:
    assert words in run_messages.in_words("withdrawn", {"clips": clips})
    assert words in run_messages.in_words("snapshot", {"clips": clips, "train": 1, "rest": 0})


def test_other_sentences_have_plural_forms() -> None:
    few = [TrainingError("run_few_genres", {"genres": n, "least": 20}).message for n in (0, 1, 2)]
    assert ["there are 0" in few[0], "there is 1" in few[1], "there are 2" in few[2]] == [True] * 3
