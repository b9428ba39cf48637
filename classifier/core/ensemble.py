"""A version's own network joined with the tagger, for a whole track and over its timeline."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.core.errors import ReleaseError
from classifier.core.music_detection import DETECTOR_FILE, MusicDetector, assess
from classifier.core.prediction import Prediction, Segment, TrackTags
from classifier.core.recordings import DEFAULT_PARAMS as RECORDING_PARAMS
from classifier.core.recordings import RECORDING_HEAD_FILE, classify_recording, fits, row_for
from classifier.core.tagger import Tagger, TagOutput
from classifier.core.tagger_input import PATCH_SECONDS
from classifier.core.verdict import HEAD_FILE, TaggerHead, VerdictParams, join, patch_tags, pool_tags

METADATA_KEY: Final = "ensemble"
_OWN_PART: Final = 0.5
"""Weight of a segment's own patch beside the whole track: single patches of three seconds are unreliable."""
_NARROW_UNSURE_BELOW: Final = 0.45
"""Without treble the tags are less reliable. Of modern songs through a telephone's band 93.8 % of those above
it are named rightly, 91.7 % of those above the usual threshold."""
_SHORTEST_SURE: Final = PATCH_SECONDS
"""What is shorter than a patch of the tagger is repeated to fill one. Of 108 such exclamations from a game
13 were surely given a genre."""
_PLAIN_MUSIC: Final = 1.0
_LEAST_PARTS: Final = 2
_LEAST_SHARE: Final = 0.1
"""Of a track in which no music was found as a whole: logit from which a patch of three seconds is music, and
how many there must be. Of patches of speech none lies above it, of those of 100 clips of music 99 %."""
_LEAST_VALUE, _MOST_VALUE = 0.0, 100.0


class Ensemble:
    """What a version needs to be joined with the tagger.

    Attributes
    ----------
    head
        On the tagger's features; None where the version has none.
    tagger_version
        Of the tagger that the head was fitted on.
    detector
        Tells music from speech and everyday sounds; None where the version has none.
    recording_head
        On the embeddings of equalised recordings; None where the version has none that fits.
    """

    def __init__(
        self,
        head: TaggerHead | None,
        params: VerdictParams,
        tagger_version: str,
        detector: MusicDetector | None = None,
        recording_head: TaggerHead | None = None,
    ) -> None:
        self.head = head
        self.params = params
        self.tagger_version = tagger_version
        self.detector = detector
        self.recording_head = recording_head

    @classmethod
    def load(cls, folder: Path, metadata: Mapping[str, Any]) -> Ensemble | None:
        """Read the entry ``ensemble`` of a version's metadata and its head; None where it has no such entry.

        Raises
        ------
        ReleaseError
            The entry or the head is not what it should be, or the head does not match its hash.
        """
        entry = metadata.get(METADATA_KEY)
        if entry is None:
            return None
        params = _params(entry)
        head = _file(folder, HEAD_FILE, entry.get("head_sha256"), "The tagger's head")
        detector = _file(folder, DETECTOR_FILE, entry.get("detector_sha256"), "The music detector")
        tagger = str(entry.get("tagger", ""))
        return cls(
            None if head is None else TaggerHead.from_bytes(head),
            params,
            tagger,
            None if detector is None else MusicDetector.from_bytes(detector),
            _recording_head(folder, entry.get("recording_head_sha256"), tagger=tagger),
        )

    def fits(self, tagger: Tagger) -> bool:
        """Whether the tagger gives the features that the head was fitted on."""
        return tagger.version == self.tagger_version

    def takes(self, tags: TrackTags) -> bool:
        """Whether a track's stored tags are of the tagger that the head was fitted on, and fit the head."""
        sizes = {len(part.weights) for part in (self.head, self.detector) if part is not None}
        return tags.version == self.tagger_version and sizes <= {len(tags.row)}

    def is_recording(self, output: TagOutput) -> bool:
        """Whether the music in a sound is so hard to hear that it is worth equalising, if there is any."""
        if self.detector is None or self.recording_head is None or output.narrow:
            # A telephone's band is no lack of loudness; the head knows full spectra only.
            return False
        tags = pool_tags(output, version=self.tagger_version)
        if not self.takes(tags):
            return False
        score = self.detector.score(tags.row)
        limit = RECORDING_PARAMS.unsure_too_below(output.missing_bass_db)
        return assess(score).music and score < limit

    def refine(self, own: Prediction, output: TagOutput) -> Prediction:
        """Join the network's prediction for a track with the tagger's output for the same track.

        Where the head is for rows of another length, as an invalid one may be, it stays the network's own.
        """
        tags = pool_tags(output, version=self.tagger_version)
        if not self.takes(tags):
            return own
        parts = patch_tags(output, version=tags.version)
        least = _NARROW_UNSURE_BELOW if output.narrow else 0.0
        joined = self._joined(own, tags, least=least)
        nearest = _nearest(own.timeline, output.centre)
        if not joined.music and (places := self._music_between(parts)):
            between = _mean([parts[place] for place in places])
            within = [segment for segment, at in zip(own.timeline, nearest, strict=True) if at in places]
            joined, tags = replace(self._partly(own, within, between), tags=tags), between
        joined = replace(joined, timeline=self._timeline(own, nearest, parts, tags))
        if output.equalised is None:
            return joined
        return self._recorded(own, joined, output.equalised, missing_bass_db=output.missing_bass_db)

    def refine_stored(self, own: Prediction, tags: TrackTags) -> Prediction:
        """Join the network's prediction with the stored output of the tagger; only where `takes` allows it.

        Each segment of the timeline is joined with the tags of the whole track.
        """
        timeline = [self._segment(segment, tags) for segment in own.timeline]
        return replace(self._joined(own, tags), timeline=timeline)

    def _joined(self, own: Prediction, tags: TrackTags, *, least: float = 0.0) -> Prediction:
        verdict = join(own.probabilities, tags, self.head, self.params)
        found = None if self.detector is None else assess(self.detector.score(tags.row))
        music = own.music and (found is None or found.music)
        reason = found.reason if found else None
        if music and reason is None and own.timeline and own.timeline[-1].end < _SHORTEST_SURE:
            reason = "too_short"
        audible = music and reason is None
        return replace(
            own,
            label=verdict.label if music else None,
            confidence=verdict.probabilities[verdict.label],
            unsure=verdict.unsure or verdict.confidence < least or not audible,
            music=music,
            probabilities=dict(verdict.probabilities),
            tags=tags,
            style=verdict.style if audible else None,
            reason=reason if music else "no_music",
        )

    def _music_between(self, parts: Sequence[TrackTags]) -> list[int]:
        """Places of the patches that are plainly music; none where they are few."""
        if self.detector is None:
            return []
        places = [n for n, part in enumerate(parts) if self.detector.score(part.row) >= _PLAIN_MUSIC]
        return places if len(places) >= max(_LEAST_PARTS, _LEAST_SHARE * len(parts)) else []

    def _partly(self, own: Prediction, segments: Sequence[Segment], tags: TrackTags) -> Prediction:
        """Name the genre of the music between talk; never for sure, as the track is mostly something else.

        Parameters
        ----------
        segments, tags
            The network's probabilities and the tagger's output where there is music.
        """
        network = {
            label: float(np.mean([segment.probabilities[label] for segment in segments])) if segments else p
            for label, p in own.probabilities.items()
        }
        verdict = join(network, tags, self.head, self.params)
        return replace(
            own,
            label=verdict.label,
            confidence=verdict.probabilities[verdict.label],
            unsure=True,
            music=True,
            probabilities=dict(verdict.probabilities),
            style=None,
            reason="talk_and_noise",
        )

    def _recorded(
        self, own: Prediction, joined: Prediction, equalised: TagOutput, *, missing_bass_db: float
    ) -> Prediction:
        """Put the verdict on the equalised sound in the place of what was joined."""
        tags = pool_tags(equalised, version=self.tagger_version)
        if self.detector is None or self.recording_head is None or joined.tags is None:
            return joined
        score = self.detector.score(joined.tags.row)
        settled = joined.style or not joined.unsure
        if settled and score >= RECORDING_PARAMS.always_below(missing_bass_db):
            return joined
        row = row_for(self.recording_head, equalised)
        if row is None:
            return joined
        verdict = classify_recording(
            own.probabilities,
            row,
            self.recording_head,
            scores=(score, self.detector.score(tags.row)),
        )
        return replace(
            joined,
            label=verdict.label if joined.music else None,
            confidence=verdict.probabilities[verdict.label],
            unsure=verdict.unsure or not joined.music or joined.reason == "too_short",
            probabilities=dict(verdict.probabilities),
            style=None,
            timeline=[_mixed(segment, verdict.probabilities) for segment in joined.timeline],
        )

    def _segment(self, segment: Segment, tags: TrackTags) -> Segment:
        if _is_undecided(segment):
            return segment
        verdict = join(segment.probabilities, tags, self.head, self.params)
        return replace(segment, probabilities=dict(verdict.probabilities))

    def _timeline(
        self, own: Prediction, nearest: NDArray[np.intp], parts: Sequence[TrackTags], tags: TrackTags
    ) -> list[Segment]:
        """Join each segment with the patch of the tagger that is nearest to it and with the whole track.

        Where that patch holds no music the segment is left undecided.
        """
        near = [_between(tags, part) for part in parts]
        music = [self.detector is None or assess(self.detector.score(part.row)).music for part in parts]
        return [
            self._segment(segment, near[place]) if music[place] else _undecided(segment)
            for segment, place in zip(own.timeline, nearest, strict=True)
        ]


def entry_for(
    params: VerdictParams,
    *,
    tagger: str,
    head_sha256: str | None,
    replay_sha256: str | None = None,
    detector_sha256: str | None = None,
    recording_head_sha256: str | None = None,
) -> dict[str, Any]:
    """The entry ``ensemble`` of a version's metadata.

    Parameters
    ----------
    replay_sha256
        Of the file of `classifier.fitting.head_replay`; None where the version has none.
    """
    return {
        "params": asdict(params),
        "tagger": tagger,
        "head_sha256": head_sha256,
        "replay_sha256": replay_sha256,
        "detector_sha256": detector_sha256,
        "recording_head_sha256": recording_head_sha256,
    }


def _recording_head(folder: Path, digest: object, *, tagger: str) -> TaggerHead | None:
    """The head for recordings; None where there is none, or it was fitted on sound prepared otherwise."""
    content = _file(folder, RECORDING_HEAD_FILE, digest, "The head for recordings")
    if content is None:
        return None
    head = TaggerHead.from_bytes(content)
    return head if fits(head, tagger) else None


def _file(folder: Path, name: str, digest: object, what: str) -> bytes | None:
    """Read a file that the entry names by its hash; None where it names none."""
    if not digest:
        return None
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ReleaseError(f"{what} cannot be read: {error}.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ReleaseError(f"{what} does not match the hash in the metadata.")
    return content


def _params(entry: object) -> VerdictParams:
    names = {field.name for field in fields(VerdictParams)}
    given = entry.get("params") if isinstance(entry, dict) else None
    if not isinstance(given, dict) or set(given) != names:
        raise ReleaseError("The ensemble entry of the metadata does not hold the expected values.")
    for value in given.values():
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not _LEAST_VALUE <= value <= _MOST_VALUE:
            raise ReleaseError("The ensemble entry of the metadata holds a value out of range.")
    params = VerdictParams(**given)
    if params.temperature <= 0 or params.untagged <= 0:
        raise ReleaseError("The ensemble entry of the metadata holds a value out of range.")
    return params


def _between(whole: TrackTags, part: TrackTags) -> TrackTags:
    return replace(
        whole,
        strengths={
            tag: _OWN_PART * part.strengths.get(tag, value) + (1 - _OWN_PART) * value
            for tag, value in whole.strengths.items()
        },
        row=np.asarray(_OWN_PART * part.row + (1 - _OWN_PART) * whole.row, dtype=np.float32),
    )


def _mean(parts: Sequence[TrackTags]) -> TrackTags:
    """Average patches of the tagger."""
    return replace(
        parts[0],
        strengths={
            name: float(np.mean([part.strengths[name] for part in parts])) for name in parts[0].strengths
        },
        row=np.mean([part.row for part in parts], axis=0, dtype=np.float32),
    )


def _nearest(timeline: Sequence[Segment], centre: NDArray[np.float64]) -> NDArray[np.intp]:
    """Place of the patch, by the second of its middle, that is nearest to each segment."""
    centres = np.array([(segment.start + segment.end) / 2 for segment in timeline])
    return np.asarray(np.abs(centres[:, np.newaxis] - centre[np.newaxis, :]).argmin(axis=1))


def _mixed(segment: Segment, whole: Mapping[str, float]) -> Segment:
    """Give a segment half of what the whole recording says."""
    if _is_undecided(segment):
        return segment
    mixed = {
        label: _OWN_PART * value + (1 - _OWN_PART) * whole[label]
        for label, value in segment.probabilities.items()
    }
    return replace(segment, probabilities=mixed)


def _undecided(segment: Segment) -> Segment:
    return replace(
        segment, probabilities=dict.fromkeys(segment.probabilities, 1 / len(segment.probabilities))
    )


def _is_undecided(segment: Segment) -> bool:
    """Whether the segment holds no music: then all genres have the same probability."""
    values = segment.probabilities.values()
    return max(values) - min(values) < 1e-9
