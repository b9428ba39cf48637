"""Recording with the browser's microphone."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from library.errors import sentence
from library.views.upload import upload_settings


def record_settings() -> dict[str, Any]:
    """Return the settings of the recorder's script: upload URL, limits and texts."""
    minutes = f"{settings.AUDIO_MAX_SECONDS / 60:g}"
    shared = upload_settings()
    return {
        **shared,
        "minSeconds": settings.AUDIO_MIN_SECONDS,
        "maxSeconds": settings.AUDIO_MAX_SECONDS,
        "text": {
            **shared["text"],
            "insecure": _(
                "Browsers lend the microphone only to pages opened with https or on localhost. Open the site "
                "that way, or record elsewhere and upload the file."
            ),
            "unsupported": _(
                "This browser cannot record sound. Use a current Firefox, Chrome, Edge or Safari."
            ),
            "denied": _(
                "The microphone is blocked for this site. Click the icon beside the address, allow the "
                "microphone, and try again."
            ),
            "missing": _(
                "No microphone was found. Plug one in, or choose it in your system's settings, and try again."
            ),
            "occupied": _(
                "The microphone cannot be opened. Close other programs that use it, and try again."
            ),
            "unplugged": _("The microphone went away. What was recorded so far is kept as a take."),
            "broken": _("The recording stopped unexpectedly. What was recorded so far is kept as a take."),
            "recovered": _(
                "A recording was interrupted when its page closed. What was recorded until then is kept as "
                "a take."
            ),
            "asking": _("Your browser asks whether this site may use the microphone: allow it."),
            "idle": _("Press the button to start."),
            "recording": _("Recording"),
            "paused": _("Paused"),
            "quiet": _("Very quiet: move closer to the music, or turn it up."),
            "loud": _("Too loud: move away, or turn the input down."),
            "limit": _("A take is at most %(minutes)s minutes long, so this one ended here.")
            % {"minutes": minutes},
            "too_short": sentence("too_short", {"minimum": settings.AUDIO_MIN_SECONDS}),
            "take": _("Take %(number)s"),
            "deleted": _("%(name)s is deleted."),
            "undo": _("Undo"),
            "title": _("Recording %(moment)s"),
            "sent": _("Sent."),
            "leave": _("There are takes that you have not sent."),
            "undecodable": _("This browser cannot turn the take into WAV. Send it to analysis as it is."),
        },
    }


def clarity_settings() -> dict[str, Any]:
    """Give what the recorder needs to say, while it records, whether the music is clear."""
    return {
        "clarityUrl": reverse("api:classify"),
        "text": {
            "clear": _("The music is clear."),
            "not_clear_yet": _("The music is not clear enough yet: keep recording."),
            "talk_and_noise": _("Mostly talk and noise: hold the microphone nearer."),
            "no_music_yet": _("No music heard yet: hold the microphone nearer."),
        },
    }


@login_required
@require_safe
def record(request: HttpRequest) -> HttpResponse:
    recorder, clarity = record_settings(), clarity_settings()
    merged = {
        **recorder,
        **clarity,
        "owner": str(request.user.pk),
        "text": {**recorder["text"], **clarity["text"]},
    }
    return render(request, "library/record.html", {"record_settings": merged})
