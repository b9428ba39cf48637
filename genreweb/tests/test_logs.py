"""Request ids in answers, log lines and tasks, and log lines as JSON."""

from __future__ import annotations

import json
import logging
import logging.config
import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from genreweb import celery_app, heartbeat
from genreweb.embedded.child import _LEVEL
from genreweb.logs import logging_settings
from genreweb.testing import pytest_runtest_protocol
from genreweb.tests.job_rows import wait_for

log = logging.getLogger("genreweb.tests.logs")
pytestmark = pytest.mark.urls(__name__)

ID = "3f6d2f0e-6a0b-4d57-9a65-0d1c3a6b8f21"


def log_a_line(request: HttpRequest) -> HttpResponse:
    log.warning("a request")
    if "fail" in request.GET:
        raise ZeroDivisionError
    if "send" in request.GET:
        write_lines.apply_async(queue="analysis")
    return HttpResponse()


@celery_app.task(name="genreweb.tests.write_lines")
def write_lines() -> None:
    log.warning("a task")


urlpatterns = [path("line", log_a_line)]
handler500 = "django.views.defaults.server_error"


@pytest.fixture
def written() -> Iterator[Callable[[str], StringIO]]:
    """Let log lines of this test be written in one of the formats."""
    logger, streams = logging.getLogger("genreweb.tests.logs"), []
    # A worker that Celery starts in the test sets the root logger to ERROR.
    logger.setLevel(logging.INFO)

    def write(form: str) -> StringIO:
        stream = StringIO()
        chosen = logging_settings(level=logging.INFO, form=form)
        made = logging.config.DictConfigurator(chosen)
        handler = logging.StreamHandler(stream)
        handler.setFormatter(made.configure_formatter(chosen["formatters"][form]))
        handler.addFilter(made.configure_filter(chosen["filters"]["request_id"]))
        logger.addHandler(handler)
        streams.append(handler)
        return stream

    yield write
    for handler in streams:
        logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_an_id_is_made_and_told(client: Client, written: Callable[[str], StringIO]) -> None:
    stream = written("line")
    first, second = (client.get("/line")["X-Request-ID"] for _ in range(2))
    assert first != second
    assert uuid.UUID(first)
    assert [line.split(" ", 2)[2] for line in stream.getvalue().splitlines()] == [
        f"WARNING [{one}] genreweb.tests.logs: a request" for one in (first, second)
    ]
    log.warning("by itself")
    assert "[-]" in stream.getvalue().splitlines()[-1]


@pytest.mark.parametrize("sent", [ID, ID.replace("-", "")])
def test_an_id_that_comes_with_the_request_is_kept(
    client: Client, written: Callable[[str], StringIO], sent: str
) -> None:
    stream = written("line")
    assert client.get("/line", headers={"X-Request-ID": sent})["X-Request-ID"] == sent
    assert f"[{sent}]" in stream.getvalue()


@pytest.mark.parametrize("sent", ["1", "a b\tc", "x" * 5000, "'; DROP TABLE", f"{ID} ERROR forged", "é"])
def test_anything_else_is_replaced(client: Client, written: Callable[[str], StringIO], sent: str) -> None:
    stream = written("line")
    answered = client.get("/line", headers={"X-Request-ID": sent})["X-Request-ID"]
    assert uuid.UUID(answered)
    assert f"[{answered}]" in stream.getvalue()
    assert f"[{sent}" not in stream.getvalue()


def test_an_error_has_its_id_too(client: Client) -> None:
    client.raise_request_exception = False
    answer = client.get("/line?fail")
    assert (answer.status_code, len(answer["X-Request-ID"])) == (500, 32)


def test_lines_as_json(client: Client, written: Callable[[str], StringIO]) -> None:
    stream = written("json")
    told = client.get("/line")["X-Request-ID"]
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("%s failed", "this", extra={"track": 7})

    first, second = stream.getvalue().splitlines()

    line: dict[str, Any] = json.loads(first)
    assert {line["level"], line["logger"], line["message"], line["request_id"]} == {
        "WARNING",
        "genreweb.tests.logs",
        "a request",
        told,
    }
    assert line["time"].startswith("20")
    failure = json.loads(second)
    assert (failure["message"], failure["track"]) == ("this failed", 7)
    assert failure["exc_info"].endswith("ValueError: two\nlines")
    # The supervisor of `make run` finds the level where it looks for it.
    found = _LEVEL.search(second[:80])
    assert found is not None
    assert found.group() == "ERROR"


def test_tasks_carry_the_id_of_the_request_that_sent_them(
    client: Client, written: Callable[[str], StringIO]
) -> None:
    stream = written("json")
    with heartbeat.connect() as redis:
        redis.delete("analysis")
    sent = str(uuid.uuid4())

    assert client.get("/line?send", headers={"X-Request-ID": sent}).status_code == 200
    write_lines.apply_async(queue="analysis")  # of no request, as the scheduler's
    with start_worker(
        celery_app, pool="solo", loglevel="INFO", perform_ping_check=False, shutdown_timeout=30
    ):
        wait_for(lambda: stream.getvalue().count("a task") == 2)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    of_request, by_itself = (line["request_id"] for line in lines if line["message"] == "a task")
    assert of_request == sent
    assert by_itself not in (sent, "-"), "an id of its own ties its lines together"


def test_a_worker_of_celery_in_one_test_silences_no_lines_of_the_next() -> None:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    item = pytest_runtest_protocol()
    next(item)
    with start_worker(celery_app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        pass
    root.setLevel(logging.ERROR)
    with pytest.raises(StopIteration):
        item.send(None)
    assert (root.level, root.handlers) == (level, handlers)
