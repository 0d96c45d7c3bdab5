"""Corruptions that a model is tested under, and which clips stand for all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_core.augment import Chain
from ser_core.corpora.clip import Clip
from trainer.errors import DataError
from trainer.evaluation.predictions import Samples, clip_rng, name_of


@dataclass(frozen=True)
class Corruption:
    """What is done to a clip first: a name, and the recipe that does it (none for clean clips)."""

    name: str
    recipe: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> str:
        """Return the recipe as JSON."""
        return json.dumps(list(self.recipe)) if self.recipe else ""

    def change(self, clip: Clip, samples: Samples, rate: int) -> Samples:
        """Return the clip under it; what is drawn depends on the clip alone."""
        if not self.recipe:
            return samples
        chain = Chain.from_json(list(self.recipe))
        drawn = chain.draw(clip_rng(clip, self.name), samples, rate)
        changed: Samples = drawn.apply(samples, rate)
        return changed


CLEAN = Corruption("clean")

CONDITIONS: tuple[Corruption, ...] = (
    Corruption("telephone band", ({"name": "telephone", "low": 300, "high": 3400},)),
    Corruption("noise 20 dB", ({"name": "gaussian_noise", "snr": 20},)),
    Corruption("noise 10 dB", ({"name": "gaussian_noise", "snr": 10},)),
    Corruption("noise 5 dB", ({"name": "gaussian_noise", "snr": 5},)),
    Corruption("reverb 0.6 s", ({"name": "reverb", "decay": 0.6, "wet": 0.4},)),
    Corruption("quiet -30 dB", ({"name": "gain", "gain": -30},)),
)
"""Telephone band 300 to 3400 Hz, white noise at three distances, a room, a quiet recording."""


def stratified(clips: Sequence[Clip], most: int, seed: int) -> list[Clip]:
    """Return at most about ``most`` clips, of each corpus and emotion the same share.

    Args:
        clips: to choose from; their order is kept.
        most: 0 for all; each corpus and emotion keeps one clip at least.
        seed: which ones.

    Raises:
        DataError: ``most`` is below 0.
    """
    if most < 0:
        raise DataError(f"{most} clips were asked for; use 0 for all, or a number above it")
    if most == 0 or most >= len(clips):
        return list(clips)
    groups: dict[tuple[str, str], list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault((clip.corpus, clip.emotion), []).append(index)
    kept: list[int] = []
    for held in groups.values():
        ranked = sorted(held, key=lambda index: _rank(clips[index], seed))
        kept += ranked[: max(1, round(len(held) * most / len(clips)))]
    return [clips[index] for index in np.sort(kept).tolist()]


def _rank(clip: Clip, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {name_of(clip)}".encode()).digest()
