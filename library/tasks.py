"""Celery tasks of the library; each calls a service."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from library.services import (
    analysis,
    batches,
    classify,
    copies,
    explanations,
    features,
    lenses,
    reanalysis,
    resumable,
    sound_map,
    sound_queries,
    tidying,
    vector_filling,
    watching,
)
from library.services.bin import purge


@shared_task
def analyse_track(track_id: str) -> None:
    analysis.analyse_track(track_id=UUID(track_id))


@shared_task
def explain(explanation_id: int) -> None:
    explanations.explain(explanation_id=explanation_id)


@shared_task
def encode(copy_id: int) -> None:
    copies.encode(copy_id=copy_id)


@shared_task(ignore_result=False)
def classify_scratch(name: str, anonymous: bool = False) -> dict[str, Any]:
    return classify.answer(name=name, anonymous=anonymous)


@shared_task(ignore_result=False)
def describe_scratch(name: str, anonymous: bool = False) -> dict[str, Any]:
    return sound_queries.answer(name=name, anonymous=anonymous)


@shared_task
def unpack(batch_id: str) -> None:
    batches.unpack(batch_id=UUID(batch_id))


@shared_task(ignore_result=False)
def measure_features(track_id: str) -> bool:
    return features.measure(track_id=UUID(track_id))


@shared_task
def sweep() -> None:
    analysis.sweep()
    batches.sweep()
    copies.sweep()
    copies.forget_least_used()
    explanations.sweep()
    reanalysis.sweep()
    resumable.sweep()
    sound_map.sweep()


@shared_task
def tidy() -> None:
    batches.forget_old()
    resumable.forget_expired()
    tidying.tidy()
    vector_filling.stop_if_unused()


@shared_task
def purge_bin() -> None:
    purge()


@shared_task
def fill_lenses() -> None:
    lenses.catch_up()


@shared_task
def carry_vectors() -> None:
    vector_filling.keep_up()


@shared_task
def fit_map(projection_id: int) -> None:
    sound_map.fit(projection_id=projection_id)


@shared_task
def keep_map() -> None:
    sound_map.keep_up()


@shared_task
def scan_watch_folder() -> None:
    watching.scan_configured()
