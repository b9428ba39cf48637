"""The names under which services send tasks are those of registered tasks."""

from __future__ import annotations

import pytest

import library.tasks
import training.tasks
from library.services import queue as library_queue
from training.services import queue as training_queue

NAMES = [*library_queue.Task, *training_queue.Task]


@pytest.mark.parametrize("name", NAMES)
def test_a_sent_name_is_that_of_a_task(name: str) -> None:
    module, _, function = name.rpartition(".")
    found = getattr({"library.tasks": library.tasks, "training.tasks": training.tasks}[module], function)
    assert found.name == name
