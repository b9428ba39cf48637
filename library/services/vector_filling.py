"""Fill the second engine for vectors, keep it in step, and let searches ask it where it is whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Literal

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count, Max, Min

from classifier.core.lenses import LENSES, SIZES, VERSION
from genreweb.health import ConcernError
from library.models import TrackLens, VectorChange
from library.services import vector_changes, vector_engine
from library.services.vector_engine import EngineError

RUN_SECONDS: Final = 15.0
"""For which a worker carries changes over before others get their turn."""
LOOK_SECONDS: Final = 60
"""How often it is looked whether a lens that is not in service has become whole; that counts rows."""
COUNT_SECONDS: Final = 3600
"""How often it is looked whether those that are in service still are whole: either side may be restored."""
SILENT_SECONDS: Final = 300
"""For so long an engine that is away is not logged again."""
_POLL_SECONDS: Final = 2.0

State = Literal["in service", "waiting", "building", "incomplete"]
_UNSETTLED: Final = {"waiting", "building"}
log = logging.getLogger(__name__)


def fill(
    *,
    anew: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
    on_lot: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, State]:
    """Fill the engine with the whole catalogue; give what became of each lens.

    One that was interrupted is gone on with, here or by the workers. Meanwhile PostgreSQL answers.

    Parameters
    ----------
    anew
        Begin from nothing also where one was interrupted.
    on_step, on_lot
        Are told in words what begins, and of how many vectors so many are done.

    Raises
    ------
    EngineError
        The engine does not answer.
    """
    if anew or not _is_under_way():
        on_step("Noting every public vector")
        _begin()
    else:
        on_step("Going on with the filling that was interrupted")
    first, last = VectorChange.objects.aggregate(first=Min("pk"), last=Max("pk")).values()
    if first is not None:
        total = last - first + 1
        vector_changes.carry_over(
            seconds=float("inf"), wait=True, on_lot=lambda key: on_lot(min(key - first, total), total)
        )
        on_lot(total, total)
    states = settle()
    if not _UNSETTLED.isdisjoint(states.values()):
        on_step("Waiting for the engine to build its graphs, which the workers of the site would do as well")
    while not _UNSETTLED.isdisjoint(states.values()):
        time.sleep(_POLL_SECONDS)
        vector_changes.carry_over(seconds=RUN_SECONDS)
        states = settle()
    return states


def stop() -> None:
    """Note no more changes, and drop all that the engine holds of this site."""
    vector_changes.note_no_more()
    vector_engine.drop(vector_engine.known())


def keep_up() -> int:
    """Tell the engine what changed, and put lenses into service that have become whole; give the changes."""
    try:
        carried = vector_changes.carry_over(seconds=RUN_SECONDS)
        if cache.add("vector-engine-look", 1, timeout=LOOK_SECONDS):
            settle(recount=cache.add("vector-engine-count", 1, timeout=COUNT_SECONDS))
    except EngineError as error:
        if cache.add("vector-engine-away", 1, timeout=SILENT_SECONDS):
            log.warning("%d changes of vectors wait for their engine: %s", vector_changes.waiting(), error)
        return 0
    return carried


def settle(*, recount: bool = False) -> dict[str, State]:
    """Put the lenses into service that the engine knows all of; give the state of each.

    Parameters
    ----------
    recount
        Look also at those that are in service, and take out of it what is not whole.
    """
    if not vector_changes.are_noted():
        # What it holds is not kept in step.
        vector_engine.take_out_of_service()
        return {}
    ready = {lens for lens, version in vector_engine.in_service() if version == VERSION}
    states: dict[str, State] = {lens: "in service" for lens in LENSES if lens in ready}
    uncertain = [lens for lens in LENSES if recount or lens not in ready]
    if not uncertain:
        return states
    waiting: dict[str, State] = {lens: "waiting" for lens in uncertain if lens not in ready}
    with transaction.atomic():
        if not vector_changes.hold(wait=False):
            return states | waiting
        public = TrackLens.objects.filter(public=True, version=VERSION, lens__in=uncertain)
        counts = dict(public.values_list("lens").annotate(Count("pk")).order_by())
        # After the rows: a change that was made while they were counted waits now.
        if VectorChange.objects.exists():
            return states | waiting
        return states | {lens: _settle(lens, counts.get(lens, 0), lens in ready) for lens in uncertain}


def _settle(lens: str, rows: int, is_ready: bool) -> State:
    vector_engine.prepare(lens, VERSION, SIZES[lens])
    if vector_engine.count(lens, VERSION) != rows:
        if is_ready:
            log.warning("the engine for vectors has lost some by %s, and is not asked for it any more", lens)
            vector_engine.take_out_of_service({(lens, VERSION)})
        return "incomplete"
    if not is_ready:
        if not vector_engine.is_built(lens, VERSION):
            return "building"
        vector_engine.put_into_service(lens, VERSION)
    return "in service"


def _is_under_way() -> bool:
    """Whether a filling was begun and not ended: nothing is in service, and changes wait for collections."""
    return (
        vector_changes.are_noted()
        and VectorChange.objects.exists()
        and not vector_engine.in_service()
        and {(lens, VERSION) for lens in LENSES} <= vector_engine.known()
    )


def _begin() -> None:
    # Before changes are noted for an engine that is not there.
    vector_engine.known()
    if not vector_changes.are_noted():
        # In a transaction of its own: nobody who writes vectors waits for what follows.
        vector_changes.note()
    with transaction.atomic():
        vector_changes.hold(wait=True)
        vector_engine.drop(vector_engine.known())
        for lens in LENSES:
            vector_engine.prepare(lens, VERSION, SIZES[lens])
        # Those that wait were made before the rows are read, so that they are among them.
        VectorChange.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO library_vectorchange (track, lens, version) SELECT track_id, lens, version "
                "FROM library_tracklens WHERE public AND version = %s ORDER BY lens, track_id",
                [VERSION],
            )


# --- without the engine ---------------------------------------------------------------------------------
def stop_if_unused() -> bool:
    """Note no more changes where the site has no engine any longer: nobody would ever read them."""
    if vector_engine.is_used() or not vector_changes.are_noted():
        return False
    vector_changes.note_no_more()
    log.warning("QDRANT_URL is not set any more: changes of vectors are no longer noted")
    return True


# --- what health says -----------------------------------------------------------------------------------
def look_for_faults() -> None:
    """Report to the health check that PostgreSQL answers in place of the engine.

    Raises
    ------
    ConcernError
        If so.
    """
    if not vector_changes.are_noted():
        raise ConcernError("The engine for vectors was not filled: run manage.py fill_vectors.")
    try:
        ready = vector_engine.in_service(seconds=vector_engine.ANSWER_SECONDS)
    except EngineError as error:
        raise ConcernError("The engine for vectors does not answer; PostgreSQL does in its place.") from error
    missing = [lens for lens in LENSES if (lens, VERSION) not in ready]
    if missing:
        raise ConcernError(
            f"The engine for vectors is not whole by {', '.join(missing)}; {vector_changes.waiting():,} "
            "changes wait. Where none do for minutes, run manage.py fill_vectors."
        )


def lenses_in_service() -> dict[tuple[str, ...], float]:
    """Give for each lens whether the engine answers by it, for the metrics."""
    try:
        ready = vector_engine.in_service(seconds=vector_engine.ANSWER_SECONDS)
    except EngineError:
        ready = set()
    return {(lens,): float((lens, VERSION) in ready) for lens in LENSES}


def changes_waiting() -> dict[tuple[str, ...], float]:
    """Give how many changes wait, for the metrics."""
    return {(): float(vector_changes.waiting())}
