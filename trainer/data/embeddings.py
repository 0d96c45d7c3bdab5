"""What a frozen model computes of a clip, kept on disk, so that a new head is fitted in seconds.

A head sees a clip only through the backbone's ``pooled`` state. While nothing in front of it
learns, that state is the same in every epoch, in every run and for every head: it is computed once
for each clip, and once more for each augmented copy of it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_core.augment import Chain
from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from ser_core.files import atomic, load_array
from ser_core.frontends import FeatureMap
from trainer.data.batches import Batch, Example, augmented_copy, centre, epoch_order
from trainer.data.decoded import DecodedClips
from trainer.settings import Settings

FORMAT = "pooled-1"
FloatArray = NDArray[np.float64]
_AT_ONCE = 16

Ticker = Callable[[int, int], None]


class Embeddings:
    """The pooled states of clips under one model, by content and copy.

    Args:
        model: its weights in front of the head are part of the key, so that another model, or
            the same after its front learned, has states of its own.
        specification: of the model.
        decoded: where the samples are.
        recipe: augmentation that a copy is drawn with; copy 0 is the clip itself.
        tick: called with clips done and clips in all while states are computed.
    """

    def __init__(
        self,
        model: Model,
        specification: Specification,
        decoded: DecodedClips,
        *,
        recipe: Sequence[dict[str, Any]] = (),
        tick: Ticker | None = None,
    ) -> None:
        self.model, self.specification, self.decoded = model, specification, decoded
        self.chain, self.tick = Chain.from_json(list(recipe)), tick
        self.key = front_key(model, specification)
        drawn = json.dumps(self.chain.to_json(), sort_keys=True)
        self.recipe = hashlib.sha256(drawn.encode()).hexdigest()[:12]
        trim = "speech" if decoded.trim else "whole"
        self.folder = decoded.cache.parent / "embeddings" / f"{FORMAT}-{trim}-{self.key}"

    def path(self, digest: str, copy: int) -> Path:
        """Return where one state is kept."""
        name = f"{digest}.npy" if copy == 0 else f"{digest}-{self.recipe}-{copy}.npy"
        return self.folder / digest[:2] / name

    def of(self, items: Sequence[Example], copy: int = 0) -> Tensor:
        """Return the pooled states of clips, float16 ``[clip, size]``, computing what is missing.

        Args:
            items: the clips.
            copy: 0 for the clips themselves, else the number of the augmented copy.
        """
        digests = list(dict.fromkeys(item.digest for item in items))
        missing = [digest for digest in digests if not self.path(digest, copy).exists()]
        # Clips of like length together: next to nothing is computed over padding.
        missing.sort(key=lambda digest: self.decoded.samples(digest).shape[1])
        for first in range(0, len(missing), _AT_ONCE):
            self._compute(missing[first : first + _AT_ONCE], copy)
            if self.tick is not None:
                self.tick(min(first + _AT_ONCE, len(missing)), len(missing))
        held = {digest: _read(self.path(digest, copy)) for digest in digests}
        if not items:
            return torch.zeros(0, 0, dtype=torch.float16)
        return torch.from_numpy(np.stack([held[item.digest] for item in items]))

    def copies_of(self, items: Sequence[Example], settings: Settings) -> Tensor:
        """Return each clip's state and its copies', float16 ``[clip, 1 + copies, size]``."""
        return torch.stack([self.of(items, copy) for copy in range(settings.copies + 1)], dim=1)

    def missing(self, items: Sequence[Example], copies: int) -> int:
        """Return how many states of the clips and their copies have to be computed yet."""
        digests = {item.digest for item in items}
        return sum(
            not self.path(digest, copy).exists()
            for digest in digests
            for copy in range(copies + 1)
        )

    def pace(
        self, items: Sequence[Example], clock: Callable[[], float] = time.monotonic
    ) -> float:
        """Return the seconds that one state takes, from a few that are missing; they are kept.

        Args:
            items: the clips; with none missing the pace is 0.
            clock: seconds.
        """
        asked = dict.fromkeys(item.digest for item in items)
        missing = [digest for digest in asked if not self.path(digest, 0).exists()]
        if not missing:
            return 0.0
        chosen = np.random.default_rng(0).permutation(len(missing))[:_AT_ONCE].tolist()
        begun = clock()
        self._compute([missing[index] for index in chosen], 0)
        return (clock() - begun) / len(chosen)

    def _compute(self, digests: Sequence[str], copy: int) -> None:
        rate, window = self.specification.sample_rate, self.specification.samples
        clips = []
        for digest in digests:
            samples = self.decoded.samples(digest)
            samples = augmented_copy(samples, digest, copy, self.chain, rate)
            clips.append(centre(samples, window))
        rows = pooled_states(self.model, self.specification, clips)
        for digest, row in zip(digests, rows, strict=True):
            _write(self.path(digest, copy), row)


def pooled_states(
    model: Model, specification: Specification, clips: Sequence[NDArray[np.float32]]
) -> NDArray[np.float16]:
    """Return the backbone's pooled state of each clip, ``[clip, size]``, in evaluation mode.

    Args:
        model: any.
        specification: of it.
        clips: mono samples ``[1, time]``, no longer than the model's window.
    """
    device = next(model.parameters()).device
    longest = max(clip.shape[1] for clip in clips)
    waveform = np.zeros((len(clips), specification.input_channels, longest), np.float32)
    for row, clip in zip(waveform, clips, strict=True):
        row[:, : clip.shape[1]] = clip
    lengths = torch.tensor([clip.shape[1] for clip in clips])
    training = model.training
    model.eval()
    with torch.inference_mode():
        features = model.features(torch.from_numpy(waveform).to(device), lengths.to(device))
        pooled = model.backbone.pooled(features).float().cpu().numpy()
    model.train(training)
    # Far outside of what half precision holds nothing is to be learned any more.
    return np.asarray(np.clip(pooled, -60_000, 60_000), dtype=np.float16)


def front_key(model: Model, specification: Specification) -> str:
    """Return a hash of everything that a pooled state depends on beside the sound.

    That is the weights that are not the head's, the parameters of the front-end and the window.
    """
    own = tuple(f"backbone.{name}" for name in model.backbone.head_names)
    identity = {
        "frontend": specification.frontend,
        "normalisation": specification.normalisation,
        "backbone": specification.backbone,
        "seconds": specification.seconds,
        "channels": specification.input_channels,
        "rate": specification.sample_rate,
        "parameters": {
            name: value
            for name, value in model.frontend.parameters_json().items()
            if name not in ("train", "last_layers", "source")
        },
    }
    held = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    for name, value in model.state_dict().items():
        if not name.startswith(own):
            held.update(name.encode())
            # Half precision, as checkpoints may hold it; adding 0 makes one zero of two.
            row = (value.detach().float() + 0.0).half() + 0.0
            held.update(row.cpu().contiguous().numpy().tobytes())
    return held.hexdigest()[:16]


def _write(path: Path, row: NDArray[np.float16]) -> None:
    with atomic(path, durable=False) as file:
        np.save(file, row)


def _read(path: Path) -> NDArray[np.float16]:
    found: NDArray[np.float16] = load_array(path)
    return found


def head_logits(model: Model, features: FeatureMap) -> Tensor:
    """Return the head's logits of pooled states, given as maps of one frame."""
    return model.backbone.head(features.values.flatten(1))


def logits_of_states(model: Model, states: Tensor, batch_size: int = 1024) -> FloatArray:
    """Return the head's logits ``[clip, emotion]`` in evaluation mode.

    Args:
        model: on any device.
        states: ``[clip, size]``.
        batch_size: states that go through together.
    """
    device = next(model.parameters()).device
    model.backbone.eval()
    with torch.inference_mode():
        parts = [model.backbone.head(part.float().to(device)) for part in torch.split(states, batch_size)]
    logits = torch.cat(parts).double().cpu().numpy()
    return np.asarray(logits, dtype=np.float64)


def state_batches(
    items: Sequence[Example],
    states: Tensor,
    emotions: Sequence[str],
    settings: Settings,
    *,
    epoch: int,
    skip: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Yield the batches of an epoch, as `trainer.data.batches.training_batches` does for sound.

    Args:
        items: training clips.
        states: of the clips and their copies, ``[clip, 1 + copies, size]``; one of them is drawn.
        emotions: the model's classes.
        settings: of the run.
        epoch: its number, from 0.
        skip: batches already seen, when a run resumes.
        rank, world: of several processes each takes every ``world``-th clip of a batch.
    """
    order = epoch_order(items, emotions, settings, epoch)
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(epoch, 1)))
    drawn = rng.integers(states.shape[1], size=len(order))
    targets = torch.tensor([item.target for item in items], dtype=torch.float32)
    weights = torch.tensor([item.weight for item in items], dtype=torch.float32)
    if settings.balance == "sampling":
        # With sampling a clip's weight is how often it is drawn, not counted twice.
        weights = torch.ones(len(items))
    size = min(settings.batch_size, len(order))
    for number in range(skip, len(order) // size):
        part = slice(number * size + rank, (number + 1) * size, world)
        chosen = torch.from_numpy(order[part])
        values = states[chosen, torch.from_numpy(drawn[part])].float()
        ones = torch.ones(len(chosen), dtype=torch.int64)
        yield Batch(values[:, None, :, None], ones, targets[chosen], weights[chosen])
