"""GET /metrics."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from genreweb import counters, heartbeat, metrics
from genreweb.domain_errors import DomainError
from genreweb.jobs import Claim
from genreweb.tests.job_rows import Jobs, make_row
from genreweb.tests.site import run_command
from library.models import Track

pytestmark = pytest.mark.django_db

TOKEN = "a token of some length"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> Iterator[None]:
    names = ("genreweb:counters", *(f"genreweb:workers:{queue}" for queue in metrics.QUEUES), *metrics.QUEUES)
    with heartbeat.connect() as client:
        client.delete(*names)
        yield
        client.delete(*names)


@pytest.fixture
def _open(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape(client: Client) -> Samples:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "no-store" in response["Cache-Control"]
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


# --- who may read it ------------------------------------------------------------------------------------
def test_it_does_not_exist_unless_it_is_set_up(client: Client) -> None:
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
        assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.usefixtures("_open")
@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"]
)
def test_without_the_token_it_does_not_exist(client: Client, sent: str) -> None:
    assert client.get("/metrics", headers={"Authorization": sent} if sent else {}).status_code == 404


@pytest.mark.parametrize(
    ("address", "forwarded", "status"),
    [
        ("10.1.2.3", "", 200),
        ("::ffff:10.1.2.3", "", 200),
        ("10.1.2.3", "10.9.9.9", 200),
        ("10.1.2.3", "203.0.113.5", 404),
        ("10.1.2.3", "10.9.9.9, 203.0.113.5", 404),
        ("203.0.113.5", "10.9.9.9", 404),
        ("203.0.113.5", "", 404),
        ("", "", 404),
    ],
)
def test_internal_addresses_need_no_token(
    client: Client, settings: Settings, address: str, forwarded: str, status: int
) -> None:
    settings.METRICS_ADDRESSES = ["10.0.0.0/8", "fd00::/8"]
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


@pytest.mark.usefixtures("_open")
def test_it_is_only_read(client: Client) -> None:
    assert client.post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 405


def test_settings_that_cannot_be_meant_are_told(settings: Settings) -> None:
    assert metrics.access() == []
    settings.METRICS_TOKEN, settings.METRICS_ADDRESSES = "short", ["10.0.0.0/8", "my network"]
    found = metrics.access()
    assert [message.id for message in found] == ["genreweb.E040", "genreweb.E041"]
    assert all(message.hint for message in found)


# --- what it says ---------------------------------------------------------------------------------------
@pytest.mark.usefixtures("_open")
def test_queues_and_workers(client: Client) -> None:
    with heartbeat.connect() as redis:
        redis.rpush("bulk", "a message", "another")
        heartbeat.beat(redis, queues=["analysis", "bulk"], worker="analysis@here")
    samples = scrape(client)
    assert value(samples, "genreweb_queue_messages", queue="bulk") == 2
    assert value(samples, "genreweb_queue_messages", queue="analysis") == 0
    assert value(samples, "genreweb_queue_workers", queue="analysis") == 1
    assert value(samples, "genreweb_queue_workers", queue="training") == 0
    resident = value(samples, "genreweb_worker_memory_bytes", worker="analysis@here")
    assert resident is not None
    assert resident > 10 * 2**20, "this process has imported Django"
    assert (value(samples, "genreweb_worker_processes", worker="analysis@here") or 0) >= 1
    assert value(samples, "genreweb_check", part="database") == 1


@pytest.mark.usefixtures("_open")
def test_rows_that_wait(client: Client) -> None:
    for status in ("queued", "queued", "running", "failed"):
        make_row(status=status)
    samples = scrape(client)
    assert value(samples, "genreweb_jobs", job="track", status="queued") == 2
    assert value(samples, "genreweb_jobs", job="track", status="running") == 1
    assert value(samples, "genreweb_jobs", job="track", status="failed") is None


@pytest.mark.usefixtures("_open")
def test_jobs_are_counted_by_what_became_of_them(
    client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    jobs = Jobs()

    def finish(claim: Claim[Track]) -> None:
        claim.must_update(status="failed")

    def refuse(claim: Claim[Track]) -> None:
        raise DomainError("too_short")

    def crash(claim: Claim[Track]) -> None:
        raise ZeroDivisionError

    for work in (finish, refuse, crash):
        with django_capture_on_commit_callbacks(execute=True):
            assert jobs.process(make_row().pk, work)
    with django_capture_on_commit_callbacks(execute=True):
        make_row(status="running", tries=1)
        jobs.sweep()
    with django_capture_on_commit_callbacks(execute=True):
        make_row(status="running", tries=99)
        jobs.sweep()

    samples = scrape(client)
    assert value(samples, "genreweb_job_failures_total", job="track", code="too_short") == 1
    assert value(samples, "genreweb_job_failures_total", job="track", code="worker_lost") == 1
    assert value(samples, "genreweb_job_retries_total", job="track", reason="internal") == 1
    assert value(samples, "genreweb_job_retries_total", job="track", reason="worker_lost") == 1
    assert value(samples, "genreweb_job_seconds_count", job="track") == 1


@pytest.mark.usefixtures("_open")
@pytest.mark.slow
def test_durations_by_step_of_every_process(client: Client) -> None:
    counters.observe("genreweb_step_seconds", {("track", "decode"): 0.02, ("track", "classify"): 0.3})
    elsewhere = (
        "import django; django.setup(); from genreweb import counters;"
        "counters.observe('genreweb_step_seconds', {('track', 'decode'): 9999.0})"
    )
    done = run_command("-c", elsewhere, env={**os.environ, "DJANGO_SETTINGS_MODULE": "genreweb.settings"})
    assert done.returncode == 0, done.stderr

    samples = scrape(client)

    decode = {"job": "track", "step": "decode"}
    buckets = [
        value(samples, "genreweb_step_seconds_bucket", **decode, le=str(end)) for end in counters.BUCKETS
    ]
    assert buckets == [0.0] + [1.0] * (len(counters.BUCKETS) - 1)
    assert value(samples, "genreweb_step_seconds_bucket", **decode, le="+Inf") == 2
    assert value(samples, "genreweb_step_seconds_sum", **decode) == pytest.approx(9999.02)
    assert value(samples, "genreweb_step_seconds_count", job="track", step="classify") == 1


@pytest.mark.usefixtures("_open")
def test_without_redis_the_rest_is_still_told(client: Client, settings: Settings) -> None:
    make_row(status="queued")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    counters.increment("genreweb_job_failures", "track", "lost")  # counts nothing, and fails nobody

    samples = scrape(client)

    assert value(samples, "genreweb_jobs", job="track", status="queued") == 1
    assert not [name for name, _labels in samples if re.match("genreweb_(queue|worker|step)", name)]
