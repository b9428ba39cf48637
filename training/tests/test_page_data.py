"""The page that shows what the next training would use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from classifier.models import Genre
from genreweb.accounts.models import User
from library.tests.conftest import Matrix
from training.models import Clip, Dataset
from training.services.training_data import collect

pytestmark = pytest.mark.django_db

ADDRESS = "/training/data/"


@pytest.fixture
def clip(genres: dict[str, Genre]) -> Callable[..., Clip]:
    """Make clips that differ in what is given."""
    made = 0

    def make(genre: str, **fields: object) -> Clip:
        nonlocal made
        made += 1
        label = genres[genre]
        defaults: dict[str, object] = {
            "status": Clip.Status.APPROVED,
            "features": "clips/x.npz",
            "sha256": f"{made:064d}",
        }
        return Clip.objects.create(genre=label, contributed_genre=label, **{**defaults, **fields})

    return make


def test_who_may_see_it(matrix: Matrix, client: Client) -> None:
    for person, status in (
        *((matrix.anonymous, 302), (matrix.owner, 404), (matrix.curator, 200), (matrix.staff, 200)),
    ):
        client.logout()
        if not isinstance(person, AnonymousUser):
            client.force_login(person)
        assert client.get(ADDRESS).status_code == status


def test_clips_are_counted_by_what_they_are_good_for(clip: Callable[..., Clip], owner: User) -> None:
    archive = Dataset.objects.create(name="Archive", licence="CC BY")
    for n in range(3):
        clip("blues", dataset=archive, dataset_key=str(n))
    clip("blues", dataset=archive, dataset_key="t", part=Clip.Part.TEST)
    clip("blues", dataset=archive, dataset_key="bad", status=Clip.Status.FAILED, features="")
    clip("blues", contributor=owner)
    clip("blues", contributor=owner, leaks=True)
    clip("rock", contributor=owner, status=Clip.Status.PENDING)
    clip("rock", contributor=owner, status=Clip.Status.REJECTED)
    material = collect()
    rows = {row.genre.slug: row for row in material.genres}
    blues, rock = rows["blues"], rows["rock"]
    assert (blues.usable, blues.test, blues.for_training, blues.contributed, blues.leaks) == (5, 1, 4, 1, 1)
    assert blues.missing == 16
    assert (rock.usable, rock.pending, rock.rejected) == (0, 1, 1)
    (dataset,) = material.datasets
    assert (dataset.clips, dataset.usable, dataset.failed) == (5, 4, 1)
    assert (material.for_training, material.test, material.contributed, material.contributors) == (4, 1, 1, 1)


def test_the_page_costs_as_much_for_many_clips_as_for_few(
    clip: Callable[..., Clip], curator: User, client: Client
) -> None:
    client.force_login(curator)
    clip("blues", dataset=Dataset.objects.create(name="One"), dataset_key="1")
    client.get(ADDRESS)
    with CaptureQueriesContext(connection) as few:
        client.get(ADDRESS)
    for n in range(5):
        clip("rock", dataset=Dataset.objects.create(name=f"More {n}", source="<b>x</b>"), dataset_key="1")
    with CaptureQueriesContext(connection) as many:
        page = client.get(ADDRESS).content.decode()
    assert len(many) == len(few)
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "More 4" in page


def test_an_empty_site_says_how_clips_come(curator: User, client: Client) -> None:
    client.force_login(curator)
    assert "import_dataset" in client.get(ADDRESS).content.decode()
