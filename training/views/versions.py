"""Versions of the classifier: the list, the comparison with the one in service, and curators' actions."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.files import File
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from classifier.models import ModelVersion
from classifier.quality.card import card_of
from genreweb.accounts.models import User
from genreweb.post_only import post_only
from training.access import curator_required
from training.api.versions import bundle_response
from training.errors import TrainingError
from training.models import Promotion
from training.services import promotion
from training.services.bundles import MOST_BYTES, import_bundle
from training.services.versions import learnt_clips, visible_versions
from training.views.version_pages import Genres, beside, curves_of, log_rows, rows_of

LOG_LENGTH = 30


def _curator(request: HttpRequest) -> User:
    """Return the user; only behind `curator_required`."""
    return cast(User, request.user)


def _version(request: HttpRequest, pk: int) -> ModelVersion:
    visible = ModelVersion.objects.visible_to(_curator(request)).select_related("run", "added_by")
    return get_object_or_404(visible, pk=pk)


# --- all of them ---------------------------------------------------------------------------------------
@never_cache
@require_safe
@curator_required
def versions(request: HttpRequest) -> HttpResponse:
    """Show all versions, which one is in service, and the log of changes."""
    return _list(request)


def _list(request: HttpRequest, *, trouble: str = "", status: int = 200) -> HttpResponse:
    known = visible_versions(_curator(request))
    rows = rows_of(known, learnt_clips(known))
    log = Promotion.objects.select_related("version", "former", "by")
    context: dict[str, Any] = {
        "champion": next((row for row in rows if row.version.is_in_service), None),
        "rows": rows,
        "log": log_rows(log[:LOG_LENGTH], Genres()),
        "latest": log.first(),
        "before": promotion.version_before(),
        "most_megabytes": MOST_BYTES // 2**20,
        "import_trouble": trouble,
    }
    return render(request, "training/versions/versions.html", context, status=status)


@never_cache
@curator_required
@post_only("training:versions")
def bring_in(request: HttpRequest) -> HttpResponse:
    """Import a bundle of another site."""
    sent = request.FILES.get("file")
    if sent is None:
        return _list(request, trouble=_("Choose a bundle first."), status=422)
    try:
        version, new = import_bundle(cast("File[bytes]", sent), by=_curator(request))
    except TrainingError as error:
        return _list(request, trouble=error.message, status=503 if error.is_ours else 422)
    if new:
        messages.success(request, _("“%(name)s” is here now.") % {"name": version.name})
    else:
        messages.info(request, _("“%(name)s” is here already.") % {"name": version.name})
    return redirect("training:version", version.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@curator_required
def roll_back(request: HttpRequest) -> HttpResponse:
    """Ask for the reason (in a dialog, or on a page without scripts), then roll back."""
    before = promotion.version_before()
    context: dict[str, Any] = {
        "champion": ModelVersion.objects.without_long_columns().in_service(),
        "before": before,
        "reason_length": promotion.REASON_LENGTH,
    }
    if request.method != "POST":
        by_htmx = request.headers.get("HX-Request") == "true"
        return render(
            request, f"training/versions/{'rollback_dialog' if by_htmx else 'rollback'}.html", context
        )
    reason = request.POST.get("reason", "")
    try:
        done = promotion.rollback(by=_curator(request), reason=reason)
    except TrainingError as error:
        context |= {"trouble": error.message, "reason": reason}
        return render(request, "training/versions/rollback.html", context, status=_status(error))
    messages.success(request, _("“%(name)s” is in service again.") % {"name": done.version.name})
    return redirect("training:versions")


# --- one of them ---------------------------------------------------------------------------------------
@never_cache
@require_safe
@curator_required
def version(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a version in comparison with the one in service."""
    return _page(request, _version(request, pk))


def _page(request: HttpRequest, shown: ModelVersion, *, status: int = 200, **more: Any) -> HttpResponse:
    genres = Genres()
    champion = ModelVersion.objects.in_service()
    run = getattr(shown, "run", None)
    compared = champion is not None and champion.pk != shown.pk
    log = Promotion.objects.filter(version=shown).select_related("version", "former", "by")
    (row,) = rows_of([shown], learnt_clips([shown]))
    context: dict[str, Any] = {
        "version": shown,
        "row": row,
        "labels": [genres(label) for label in shown.labels],
        "unlisted": genres.unlisted(shown.labels),
        "run": run,
        "curves": curves_of(run),
        "card": card_of(shown),
        "champion": champion,
        "beside": beside(shown, champion, genres) if compared and champion else None,
        "log": log_rows(log[:LOG_LENGTH], genres),
        "reason_length": promotion.REASON_LENGTH,
        **more,
    }
    return render(request, "training/versions/version.html", context, status=status)


@never_cache
@curator_required
@post_only("training:version", "pk")
def promote(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a version into service."""
    shown = _version(request, pk)
    reason, override = request.POST.get("reason", ""), "override" in request.POST
    try:
        promotion.promote(version=shown, by=_curator(request), reason=reason, override=override)
    except TrainingError as error:
        more = {"trouble": error.message, "reason": reason, "override": override}
        return _page(request, shown, status=_status(error), **more)
    messages.success(request, _("“%(name)s” is in service.") % {"name": shown.name})
    return redirect("training:versions")


@never_cache
@require_safe
@curator_required
def bundle(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send a version as a file that another site can import."""
    shown = _version(request, pk)
    try:
        return bundle_response(shown)
    except TrainingError as error:
        return _page(request, shown, status=_status(error), trouble=error.message)


def _status(error: TrainingError) -> int:
    return 422 if error.code.startswith("act_reason") else 409
