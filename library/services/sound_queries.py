"""Ask for tracks like a sound that is not stored: a worker describes it, and only numbers come back."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO

import numpy as np
from django.core.files import File

from classifier import decoding, registry
from classifier.core.analysis import describe_file
from classifier.core.audio import AudioLimits
from classifier.core.lenses import Facts, vectors_of
from classifier.core.tags import calibrated, flattened, version_of
from library.services.classify import about_scratch, ask_worker
from library.services.lens_queries import LensQuery
from library.services.lenses import key_name
from library.services.queue import Task
from library.services.tracks import CHUNK


def query_of_sound(*, file: File[bytes], name: str, caller: str, anonymous: bool) -> LensQuery:
    """Describe `file`; its scratch copy is deleted when this returns.

    Parameters
    ----------
    caller, anonymous
        As in `library.services.classify.classify`.

    Raises
    ------
    TrackError
        As `library.services.classify.classify`.
    """
    found = ask_worker(Task.DESCRIBE_SCRATCH, file=file, name=name, caller=caller, anonymous=anonymous)
    return LensQuery(
        vectors={lens: np.array(vector, np.float32) for lens, vector in found["vectors"].items()},
        descriptor=np.array(found["descriptor"], np.float32),
        descriptor_version=found["descriptor_version"],
        tags=found["tags"],
        key=found["key"],
        fingerprints=[np.array(found["fingerprint"], np.int32)] if found["fingerprint"] else [],
        hashes=frozenset({found["sha256"]}),
    )


def answer(*, name: str, anonymous: bool = False) -> dict[str, Any]:
    """Describe a scratch file, in a worker; errors of the file are part of the result."""
    return about_scratch(_description, name=name, anonymous=anonymous)


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _description(file: BinaryIO, loaded: registry.Loaded, within: AudioLimits) -> dict[str, Any]:
    found = describe_file(file, classifier=loaded.classifier, limits=within, decoder=decoding.shared.decode)
    strengths = calibrated(found.tags.strengths) if found.tags else {}
    vectors = vectors_of(
        Facts(
            descriptor=found.descriptor,
            descriptor_version=found.descriptor_version,
            embedding=found.tags.embedding if found.tags else None,
            levelled=found.tags.levelled if found.tags else None,
            tagger_version=version_of(found.tags) if found.tags else "",
            timbre=found.timbre,
            strengths=strengths,
        )
    )
    descriptor = found.descriptor.tolist()
    return {
        "sha256": _sha256(file),
        "vectors": {lens: vector.tolist() for lens, vector in vectors.items()},
        "descriptor": descriptor,
        "descriptor_version": found.descriptor_version,
        "tags": flattened(strengths),
        "key": key_name(descriptor),
        "fingerprint": found.fingerprint.tolist(),
    }
