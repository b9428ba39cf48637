"""From a queued track to its verdict: claim, analyse outside any transaction, save in one."""

from __future__ import annotations

from typing import BinaryIO, cast
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from classifier import decoding, registry
from classifier.core.analysis import TrackAnalysis, analyse
from classifier.core.inference import Segment
from classifier.core.keys import clear_key_of
from classifier.core.playback import PLAYBACK_SUFFIX, is_browser_playable
from classifier.models import ModelVersion
from genreweb import counters
from genreweb.jobs import Claim, Event, Failure
from library.models import Analysis, Track
from library.services import events, queue
from library.services.file_tags import read_tags, tag_columns, write_cover
from library.services.jobs import SoundJobs
from library.services.lenses import index_lenses, lens_fields
from library.services.tags import index_tags, tag_fields
from library.services.tracks import describe, has_many_waiting, limits


class AnalysisJobs(SoundJobs[Claim[Track]]):
    """Tracks, as jobs of the analysis workers."""

    model = Track
    claimed = {**SoundJobs.claimed, "step": Track.Step.DECODE}
    released = {"step": ""}
    sent = ("pk", "source", "owner_id")

    def send(self, row: Track) -> bool:
        bulk = row.source == Track.Source.CATALOGUE or has_many_waiting(row.owner_id, but=row.pk)
        return queue.send(row.pk, bulk=bulk)

    def failure_of(self, error: Exception) -> Failure:
        if isinstance(error, registry.NoClassifierError):
            return Failure("no_classifier", may_pass=True)
        return super().failure_of(error)

    def note(self, pk: UUID, event: Event) -> None:
        if event is Event.FAILED:
            events.track_failed(pk)


JOBS = AnalysisJobs()
sweep = JOBS.sweep


def analyse_track(*, track_id: UUID) -> bool:
    """Analyse one queued track; False where there was nothing to do or the claim was lost."""

    def work(claim: Claim[Track]) -> None:
        loaded = registry.in_service()
        result = _analyse(claim, loaded)
        _save(claim, result, loaded.version)
        steps: dict[counters.Labels, float] = {
            ("track", step): seconds for step, seconds in result.timings.items()
        }
        counters.observe("genreweb_step_seconds", steps)

    return JOBS.process(track_id, work)


def _analyse(claim: Claim[Track], loaded: registry.Loaded) -> TrackAnalysis:
    def on_step(step: str) -> None:
        claim.progress(step=step)
        events.track_step(claim.row, step)

    with claim.row.sound.open("rb") as file:
        return analyse(
            cast(BinaryIO, file),
            classifier=loaded.classifier,
            limits=limits(),
            on_step=on_step,
            decoder=decoding.shared.decode,
        )


def _save(claim: Claim[Track], result: TrackAnalysis, version: ModelVersion) -> None:
    """Write pictures, then everything else in one transaction; a lost claim leaves nothing behind."""
    track = claim.row
    claim.progress(step=Track.Step.SAVE)
    analysis = _row(track, result, version)
    describe(track, result.info)
    tags = read_tags(track)
    written: list[tuple[object, str]] = []
    try:
        write_cover(track, tags)
        if tags is not None and tags.cover is not None:
            written.append((track.cover.storage, str(track.cover.name)))
        for name, picture in result.pictures.items():
            field = getattr(analysis, name)
            field.save(
                f"{name}.{picture.media_type.rpartition('/')[2]}", ContentFile(picture.data), save=False
            )
            written.append((field.storage, field.name))
        if not track.rendition and not is_browser_playable(result.info):
            with track.sound.open("rb") as file:
                encoded = decoding.shared.encode_playback(cast(BinaryIO, file), limits=limits())
            track.rendition.save(f"playback{PLAYBACK_SUFFIX}", ContentFile(encoded), save=False)
            written.append((track.rendition.storage, str(track.rendition.name)))
        with transaction.atomic():
            # The track's row is locked first: a deletion waits for us, or we find it gone.
            claim.lock()
            analysis.save(force_insert=True)
            index_tags(analysis)
            index_lenses(analysis)
            claim.must_update(
                status=Track.Status.DONE,
                step="",
                current=analysis,
                rendition=track.rendition.name or "",
                duration=track.duration,
                sample_rate=track.sample_rate,
                channels=track.channels,
                codec=track.codec,
                container=track.container,
                **tag_columns(track, tags),
                finished_at=timezone.now(),
            )
            events.track_analysed(track, analysis)
    except BaseException:
        for storage, name in written:
            storage.delete(name)  # type: ignore[attr-defined]  # every storage deletes
        raise


def _row(track: Track, result: TrackAnalysis, version: ModelVersion) -> Analysis:
    """Give what is kept of an analysis, without its pictures."""
    prediction = result.prediction
    return Analysis(
        track=track,
        model_version=version,
        feature_version=result.feature_version,
        descriptor_version=result.descriptor_version,
        genre=prediction.label or "",
        confidence=prediction.confidence,
        unsure=prediction.unsure,
        probabilities=prediction.probabilities,
        timeline=[_segment(segment) for segment in prediction.timeline],
        expected_duration=result.info.expected_duration,
        damaged=result.info.damaged,
        descriptor=result.descriptor,
        **lens_fields(result),
        **_measures(result),
        embedding=prediction.embedding,
        **tag_fields(prediction),
        peaks=result.peaks.ravel().tolist(),
        ticks=_ticks(result),
        timings={step: round(seconds, 4) for step, seconds in result.timings.items()},
    )


def _measures(result: TrackAnalysis) -> dict[str, float | None]:
    """The tempo, the loudness, and how clear tempo and key are."""
    key = clear_key_of(result.descriptor)
    tempo, loudness = result.tempo, result.loudness
    values = {
        "key_clarity": key[1] if key else None,
        "tempo": tempo.bpm if tempo else None,
        "tempo_clarity": tempo.clarity if tempo else None,
        "loudness": loudness.integrated if loudness else None,
        "true_peak": loudness.true_peak if loudness else None,
    }
    return {name: None if value is None else round(value, 3) for name, value in values.items()}


def _ticks(result: TrackAnalysis) -> dict[str, list[list[object]]]:
    return {
        name: [[round(tick.position, 4), tick.label] for tick in picture.ticks]
        for name, picture in result.pictures.items()
    }


def _segment(segment: Segment) -> dict[str, object]:
    return {
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "probabilities": {label: round(p, 5) for label, p in segment.probabilities.items()},
    }
