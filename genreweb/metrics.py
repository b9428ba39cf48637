"""``GET /metrics`` for Prometheus: off unless a token or internal addresses are set.

Everything is read from the database and Redis when it is asked for, so that the answer is that of the whole
site, whichever process of whichever machine gives it.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register
from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError
from django.db.models import Count, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from redis import RedisError

from genreweb import counters, health, heartbeat
from genreweb.version import VERSION

QUEUES = ("analysis", "webhooks", "bulk", "training")
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "genreweb_job_failures": ("Jobs that failed for good.", ("job", "code")),
    "genreweb_job_retries": ("Jobs that were queued again.", ("job", "reason")),
}
DURATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "genreweb_job_seconds": ("How long workers took for a job that was done.", ("job",)),
    "genreweb_step_seconds": ("How long each step of it took.", ("job", "step")),
}
_UNFINISHED = ("queued", "checking", "running")
_LEAST_TOKEN = 16

log = logging.getLogger(__name__)
Gauge = tuple[str, str, tuple[str, ...], Callable[[], Mapping[tuple[str, ...], float]]]
_gauges: list[Gauge] = []


def register_gauge(
    name: str, what: str, labels: tuple[str, ...], ask: Callable[[], Mapping[tuple[str, ...], float]]
) -> None:
    """Have what `ask` gives shown as a gauge; keys are the values of `labels`."""
    _gauges.append((name, what, labels, ask))


class SiteCollector(Collector):
    """What the database and Redis say now; a part whose engine is away is left out."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("genreweb_check", "Whether a part of the site answers.", labels=["part"])
        for part, answers in health.examine().items():
            up.add_metric([part], float(answers))
        yield up
        yield InfoMetricFamily(
            "genreweb", "Versions.", {"version": VERSION, **{k: str(v) for k, v in health.details().items()}}
        )
        for source in (_queues, _counted, _jobs, _registered):
            try:
                # Each whole or not at all: half of a family would look like a drop.
                yield from list(source())
            except (DatabaseError, RedisError, OSError) as error:
                log.warning("metrics without %s: %s", source.__name__.lstrip("_"), error)


def _queues() -> Iterator[Metric]:
    messages = GaugeMetricFamily("genreweb_queue_messages", "Messages that wait.", labels=["queue"])
    workers = GaugeMetricFamily("genreweb_queue_workers", "Workers that are alive.", labels=["queue"])
    memory = GaugeMetricFamily(
        "genreweb_worker_memory_bytes", "Resident memory of a worker with its processes.", labels=["worker"]
    )
    processes = GaugeMetricFamily("genreweb_worker_processes", "Processes of a worker.", labels=["worker"])
    with heartbeat.connect() as client:
        for queue in QUEUES:
            messages.add_metric([queue], float(client.llen(queue)))
            workers.add_metric([queue], heartbeat.live_workers(client, queue=queue))
        for worker, (resident, number) in heartbeat.memory(client, queues=QUEUES).items():
            memory.add_metric([worker], resident)
            processes.add_metric([worker], number)
    yield from (messages, workers, memory, processes)


def _counted() -> Iterator[Metric]:
    counts, durations = counters.read()
    for name, (what, labels) in COUNTERS.items():
        counter = CounterMetricFamily(name, what, labels=labels)
        for values, number in sorted(counts.get(name, {}).items()):
            counter.add_metric(values, number)
        yield counter
    for name, (what, labels) in DURATIONS.items():
        histogram = HistogramMetricFamily(name, what, labels=labels)
        for values, classes in sorted(durations.get(name, {}).items()):
            ends, total = counters.cumulated(classes)
            histogram.add_metric(values, ends, total)
        yield histogram


def _jobs() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("genreweb_jobs", "Jobs that wait or run.", labels=["job", "status"])
    for model in apps.get_models():
        if _is_job(model):
            rows = model._default_manager.filter(status__in=_UNFINISHED).order_by()
            for status, number in rows.values_list("status").annotate(Count("pk")):
                waiting.add_metric([model._meta.model_name or "", status], number)
    yield waiting


def _is_job(model: type[Model]) -> bool:
    try:
        return all(model._meta.get_field(name) for name in ("heartbeat_at", "attempt", "status"))
    except FieldDoesNotExist:
        return False


def _registered() -> Iterator[Metric]:
    for name, what, labels, ask in _gauges:
        gauge = GaugeMetricFamily(name, what, labels=labels)
        for values, number in sorted(ask().items()):
            gauge.add_metric(values, number)
        yield gauge


_registry = CollectorRegistry()
_registry.register(SiteCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with what Prometheus reads; to everybody else the address does not exist."""
    if not _may_read(request):
        raise Http404
    return HttpResponse(generate_latest(_registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    addresses = [request.META.get("REMOTE_ADDR", "")]
    if forwarded := request.headers.get("X-Forwarded-For", ""):
        # What came through a proxy comes from its client; without one nobody may set this header.
        addresses.append(forwarded.rpartition(",")[2].strip())
    return all(_is_internal(address) for address in addresses)


def _is_internal(address: str) -> bool:
    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(asked, ipaddress.IPv6Address) and asked.ipv4_mapped:
        asked = asked.ipv4_mapped
    return any(asked in network for network in _networks(settings.METRICS_ADDRESSES))


def _networks(words: Iterable[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(word.strip(), strict=False) for word in words]


@register()
def access(**kwargs: Any) -> list[CheckMessage]:
    """The token must not be guessed, and the addresses must be some."""
    found: list[CheckMessage] = []
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < _LEAST_TOKEN:
        found.append(
            checks.Error(
                f"METRICS_TOKEN has fewer than {_LEAST_TOKEN} characters.",
                hint="python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one.",
                id="genreweb.E040",
            )
        )
    try:
        _networks(settings.METRICS_ADDRESSES)
    except ValueError as error:
        found.append(
            checks.Error(
                f"METRICS_ADDRESSES: {error}.",
                hint="Write networks, as in METRICS_ADDRESSES=127.0.0.1,10.0.0.0/8",
                id="genreweb.E041",
            )
        )
    return found
