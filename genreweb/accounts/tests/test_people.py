"""How people are found."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from genreweb.accounts.models import User


@pytest.mark.django_db
def test_those_of_a_group_are_not_everybody() -> None:
    group = Group.objects.create(name="some")
    inside, outside = (User.objects.create_user(f"{name}@example.org", "secret") for name in ("in", "out"))
    inside.groups.add(group)
    assert User.objects.get(pk=outside.pk) == outside
    with pytest.raises(User.DoesNotExist):
        User.objects.get(pk=0)
    # The query for everybody is prepared by now, and is not used for those of a group.
    members = group.user_set
    assert members.get(pk=inside.pk) == inside
    with pytest.raises(User.DoesNotExist):
        members.get(pk=outside.pk)
