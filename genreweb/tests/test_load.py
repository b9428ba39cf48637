"""The parts of ``make load``: rows that pages show, and figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from genreweb.accounts.models import User
from genreweb.load import figures
from genreweb.load.rows import fill
from library.models import Analysis, NotableTag, Track, TrackLens
from library.tests.conftest import classifier_in_service, finished_track, owner

__all__ = ["classifier_in_service", "finished_track", "owner"]


@pytest.mark.slow
@pytest.mark.django_db
def test_a_history_that_pages_show(
    owner: User, finished_track: Callable[..., Track], client: Client, tmp_path: Path
) -> None:
    template = finished_track(owner)
    lenses = TrackLens.objects.filter(track=template).count()
    tag = NotableTag.objects.get_or_create(track=template, tag="calm", defaults={"strength": 0.7})[0].tag

    fill(people=2, history=20, folder=tmp_path)

    given = json.loads((tmp_path / "people.json").read_text())
    made = Track.objects.exclude(pk=template.pk)
    assert (made.count(), made.filter(status="done", current__isnull=False).count()) == (20, 20)
    assert made.filter(visibility="catalogue", owner=None).count() == 2
    assert Analysis.objects.values("genre", "confidence").distinct().count() > 10
    assert made.filter(notable_tags__tag=tag).count() == 20
    assert lenses
    assert TrackLens.objects.filter(public=True, track__owner=None).count() == 2 * lenses
    assert TrackLens.objects.filter(owner=owner, public=False).count() == 19 * lenses
    assert len(set(given["sessions"])) == 2
    client.cookies["sessionid"] = given["sessions"][1]
    for path in ("/tracks/", f"/tracks/{given['tracks'][0]}/", f"/moods/{given['moods'][0]}/"):
        assert client.get(path).status_code == 200
    assert client.get("/tracks/").context["page"].paginator.count == 19


STATS = """Type,Name,Request Count,Failure Count,Median Response Time,Requests/s,50%,95%
GET,my tracks,90,0,50,3.0,50,120
POST,an upload,10,2,90,0.5,90,400
GET,moods,0,0,0,0.0,N/A,N/A
,Aggregated,100,2,55,3.5,55,130
"""


def test_figures(tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_text(STATS)
    (tmp_path / "failures.csv").write_text("Method,Name,Error,Occurrences\nPOST,an upload,status 507,2\n")
    rows = figures.pages(tmp_path / "stats.csv")
    used = figures.Cpu(12.0, 3.0).since(figures.Cpu(2.0, 1.0))
    lines = figures.table(rows, used).splitlines()
    assert [line.split()[-4:] for line in lines[1:5]] == [
        ["90", "0", "50", "120"],
        ["10", "2", "90", "400"],
        ["0", "0", "0", "0"],
        ["100", "2", "55", "130"],
    ]
    assert lines[-1] == ("3.5 requests a second; processor time per request: web 100.0 ms, database 20.0 ms")
    assert figures.failures(tmp_path / "failures.csv") == ["2 × an upload: status 507"]
