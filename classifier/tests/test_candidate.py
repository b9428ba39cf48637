"""Which of the clips that a version remembers are replayed by a quick run."""

from __future__ import annotations

from uuid import uuid4

import numpy as np

from classifier import testset
from classifier.fitting.jobs.candidate import _replayed
from classifier.releases import Replay


def test_shipped_clips_are_always_replayed_and_clips_of_a_site_while_they_are_there() -> None:
    shipped = testset.fitted().names[0]
    kept, relabelled, withdrawn, of_the_head = (str(uuid4()) for _ in range(4))
    elsewhere = "a clip of another site.wav"
    names = [shipped, kept, relabelled, withdrawn, of_the_head, elsewhere]
    clip = np.repeat(np.arange(len(names)), 2)
    variant = np.tile([0, 1], len(names))
    # A clip that only a head was fitted on has no variants.
    variant[clip == names.index(of_the_head)] = 0
    targets = np.zeros(len(clip), np.intp)
    replay = Replay(np.zeros((len(clip), 2), np.float32), targets, clip.astype(np.intp), variant, names)
    there = {kept: 0, relabelled: 1, of_the_head: 0}
    assert _replayed(replay, there) == [shipped, kept]
    assert _replayed(replay, {}) == [shipped]
