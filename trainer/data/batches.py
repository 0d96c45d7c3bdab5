"""From clips to batches: who is trained on, in which order, and what is drawn for each."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ser_core.augment import Chain, NoiseFolder, worker_rng
from ser_core.corpora.clip import Clip
from ser_core.checkpoints.specification import Specification
from trainer.data.balance import balanced_indices, duplicate_minority, sampling_weights
from trainer.data.decoded import DecodedClips, segment_digest
from trainer.errors import DataError
from trainer.settings import Settings

CROP_STEP = 0.25
"""Seconds between the lengths that a batch may have."""


class Batch(NamedTuple):
    """One batch of waveforms, or of rows of statistics (see `trainer.data.feature_rows`).

    Attributes:
        waveform: float32 ``[batch, channel, time]``, zero behind each clip; rows are
            ``[batch, channel, bin, 1]``.
        lengths: valid samples (frames of rows), int64 ``[batch]``.
        targets: soft labels, float32 ``[batch, emotion]``.
        weights: of each clip in the loss, float32 ``[batch]``; 0 where there is no label.
        lesson: what teachers say, ``[batch, emotion + hint]``, or None.
    """

    waveform: Tensor
    lengths: Tensor
    targets: Tensor
    weights: Tensor
    lesson: Tensor | None = None


@dataclass(frozen=True)
class Example:
    """A clip ready to be trained on or judged.

    Attributes:
        clip: where it came from.
        digest: its content hash, with the times of a segment.
        target: probability of each emotion, sums to 1.
        weight: in the loss and in sampling.
        labelled: False where the target is a teacher's, which is not a label.
    """

    clip: Clip
    digest: str
    target: tuple[float, ...]
    weight: float = 1.0
    labelled: bool = True

    @property
    def label(self) -> int:
        """Index of the likeliest emotion."""
        return int(np.argmax(self.target))


def examples(
    clips: Sequence[Clip],
    digests: Mapping[Path, str],
    emotions: Sequence[str],
    *,
    soft_labels: float = 0.0,
) -> list[Example]:
    """Return what can be used of ``clips``: decoded, and of an emotion that the model has.

    Args:
        clips: any clips.
        digests: content hashes of the usable files.
        emotions: the model's classes.
        soft_labels: share of the target taken from all of a clip's annotations, where it has any.
    """
    place = {emotion: i for i, emotion in enumerate(emotions)}
    out = []
    for clip in clips:
        if clip.path not in digests or clip.emotion not in place:
            continue
        target = np.zeros(len(emotions))
        target[place[clip.emotion]] = 1.0
        if soft_labels > 0 and clip.annotations:
            counts = np.zeros(len(emotions))
            for emotion, count in clip.annotations.items():
                if emotion in place:
                    counts[place[emotion]] += count
            if counts.sum() > 0:
                target = (1 - soft_labels) * target + soft_labels * counts / counts.sum()
        digest = segment_digest(digests[clip.path], clip)
        out.append(Example(clip, digest, tuple(target.tolist())))
    return out


def data_hash(parts: Mapping[str, Sequence[Example]]) -> str:
    """Return a hash over the contents and targets of every side of a split."""
    held = hashlib.sha256()
    for side in sorted(parts):
        for example in sorted(parts[side], key=lambda e: (e.digest, e.clip.key)):
            held.update(f"{side} {example.digest} {example.target} {example.weight}\n".encode())
    return held.hexdigest()


def epoch_order(
    items: Sequence[Example], emotions: Sequence[str], settings: Settings, epoch: int
) -> NDArray[np.int64]:
    """Return the clips of an epoch, a pure function of the settings and the epoch's number."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(epoch,)))
    labels = np.array([item.label for item in items], dtype=np.int64)
    present = sorted(set(labels.tolist()))
    dense = np.searchsorted(present, labels).astype(np.int64)
    names = [emotions[i] for i in present]
    size = settings.epoch_clips or len(items)
    if settings.balance == "sampling":
        corpora = [item.clip.corpus for item in items]
        chance = sampling_weights(dense, names, corpora, corpus_power=settings.corpus_power)
        chance = chance * np.array([item.weight for item in items])
        return balanced_indices(chance / chance.sum(), size, rng)
    if settings.balance == "duplicate":
        order = duplicate_minority(dense, names, rng)
    else:
        order = rng.permutation(len(items)).astype(np.int64)
    return order if not settings.epoch_clips else np.resize(order, size)


def waveform_chain(settings: Settings) -> Chain:
    """Return the augmentation of waveforms, with the recordings that it mixes in.

    Raises:
        AugmentError: the folder of recordings is missing or holds no audio.
    """
    chain = Chain.from_json(list(settings.augment))
    if not any(step.effect.needs_noises for step in chain.steps):
        return chain
    return Chain(chain.steps, NoiseFolder(Path(settings.noises)))


class _Drawn(Dataset[Batch]):
    """One batch per index: decoded, augmented, cropped, padded. Runs in the loader's workers."""

    def __init__(
        self,
        items: Sequence[Example],
        decoded: DecodedClips,
        specification: Specification,
        settings: Settings | None,
        batches: Sequence[NDArray[np.int64]],
        epoch: int,
        places: Sequence[NDArray[np.int64]],
        lessons: Tensor | None = None,
    ) -> None:
        self.items, self.decoded, self.specification = items, decoded, specification
        self.settings, self.batches, self.epoch, self.places = settings, batches, epoch, places
        self.lessons = lessons
        self.chain = waveform_chain(settings) if settings else None

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        chosen = self.batches[index]
        spec = self.specification
        shown = self._shown(index)
        waveform = np.zeros((len(chosen), spec.input_channels, shown), np.float32)
        lengths = np.zeros(len(chosen), np.int64)
        copies = np.zeros(len(chosen), np.int64)
        for row, place in enumerate(chosen):
            item = self.items[place]
            samples, copies[row] = self._draw(item, int(self.places[index][row]), shown)
            lengths[row] = samples.shape[1]
            waveform[row, :, : samples.shape[1]] = samples
        held = [self.items[place] for place in chosen]
        sampled = self.settings is not None and self.settings.balance == "sampling"
        return Batch(
            torch.from_numpy(waveform),
            torch.from_numpy(lengths),
            torch.tensor([item.target for item in held], dtype=torch.float32),
            # With sampling a clip's weight is how often it is drawn, not counted twice.
            torch.tensor(
                [(1.0 if sampled else item.weight) * float(item.labelled) for item in held]
            ),
            None if self.lessons is None else self.lessons[chosen, copies],
        )

    def _shown(self, index: int) -> int:
        """Return how many samples of its clips a batch shows.

        One length for the whole batch, so that nothing is computed over padding, and in steps of
        ``CROP_STEP``, so that the kernels prepared for one shape serve again.
        """
        if self.settings is None or not self.settings.crop_seconds:
            return self.specification.samples
        low, high = self.settings.crop_seconds
        rng = worker_rng(self.settings.seed + 2, 0, self.epoch, index)
        seconds = low + CROP_STEP * int(rng.integers(int((high - low) / CROP_STEP + 1e-6) + 1))
        return round(seconds * self.specification.sample_rate)

    def _draw(
        self, item: Example, position: int, length: int
    ) -> tuple[NDArray[np.float32], int]:
        """Return what is shown of a clip, and which of its copies that is."""
        rate = self.specification.sample_rate
        samples = self.decoded.samples(item.digest)
        if self.settings is None or self.chain is None:
            return centre(samples, length), 0
        rng = worker_rng(self.settings.seed, 0, self.epoch, position)
        copy = 0
        if self.lessons is not None and self.settings.copies:
            # A teacher was asked about these copies and about no others.
            copy = int(rng.integers(self.settings.copies + 1))
            samples = augmented_copy(samples, item.digest, copy, self.chain, rate)
        else:
            samples = self.chain.draw(rng, samples, rate).apply(samples, rate)
        if samples.shape[1] < length and self.settings.short_clips == "repeat":
            # Nothing is to be hidden then, and no part of the batch is spent on silence.
            times = -(-length // max(1, samples.shape[1]))
            return np.tile(samples, times)[:, :length], copy
        if samples.shape[1] <= length:
            return samples, copy
        start = int(rng.integers(samples.shape[1] - length + 1))
        return samples[:, start : start + length], copy


def augmented_copy(
    samples: NDArray[np.float32], digest: str, copy: int, chain: Chain, rate: int
) -> NDArray[np.float32]:
    """Return a numbered copy of a clip: it follows from the clip, the number and the recipe.

    Args:
        samples: of the clip, ``[1, time]``.
        digest: its content hash.
        copy: 0 for the clip itself.
        chain: the recipe.
        rate: samples a second.
    """
    if copy == 0:
        return samples
    rng = np.random.default_rng([copy, int(digest[:12], 16)])
    drawn: NDArray[np.float32] = chain.draw(rng, samples, rate).apply(samples, rate)
    return drawn


def centre(samples: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Return at most ``window`` samples, from the middle.

    >>> centre(np.arange(10, dtype=np.float32)[None], 4).tolist()
    [[3.0, 4.0, 5.0, 6.0]]
    """
    start = max(0, (samples.shape[1] - window) // 2)
    return samples[:, start : start + window]


def middle(
    items: Sequence[Example], decoded: DecodedClips, specification: Specification
) -> tuple[Tensor, Tensor]:
    """Return the middle window of each clip, ``[clip, channel, window]``, and its valid samples."""
    waveform = np.zeros(
        (len(items), specification.input_channels, specification.samples), np.float32
    )
    lengths = torch.zeros(len(items), dtype=torch.int64)
    for row, item in enumerate(items):
        samples = centre(decoded.samples(item.digest), specification.samples)
        waveform[row, :, : samples.shape[1]] = samples
        lengths[row] = samples.shape[1]
    return torch.from_numpy(waveform), lengths


def training_batches(
    items: Sequence[Example],
    decoded: DecodedClips,
    specification: Specification,
    settings: Settings,
    *,
    epoch: int,
    skip: int = 0,
    rank: int = 0,
    world: int = 1,
    lessons: Tensor | None = None,
) -> Iterator[Batch]:
    """Yield the augmented batches of an epoch.

    Args:
        items: training clips alone.
        decoded: where their samples are.
        specification: of the model.
        settings: of the run.
        epoch: its number, from 0.
        skip: batches already seen, when a run resumes.
        rank, world: of several processes each takes every ``world``-th clip of a batch.
        lessons: what teachers say of each clip and copy, ``[clip, 1 + copies, any]``.
    """
    order = epoch_order(items, specification.emotions, settings, epoch)
    size = settings.batch_size
    whole = [order[i : i + size] for i in range(0, len(order), size)]
    if len(whole) > 1 and len(whole[-1]) < size:
        # Batch statistics over a handful of clips would disturb the weights.
        whole = whole[:-1]
    batches = [part[rank::world] for part in whole]
    # A clip's draw follows from its place in the epoch, however many processes share it.
    places = [
        np.arange(i * size + rank, i * size + len(part), world) for i, part in enumerate(whole)
    ]
    drawn = _Drawn(items, decoded, specification, settings, batches, epoch, places, lessons)
    loader: DataLoader[Batch] = DataLoader(
        drawn,
        batch_size=None,
        sampler=range(skip, len(batches)),
        num_workers=settings.workers,
        prefetch_factor=4 if settings.workers else None,
        worker_init_fn=_leave_signals if settings.workers else None,
    )
    yield from loader


def _leave_signals(worker: int) -> None:
    """Let the process that saves the state answer a signal, also one sent to the whole group.

    A worker that died of it would take the run down before it is saved. It ends when its parent
    tells it to, and with its parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not hasattr(signal, "sigwaitinfo"):  # only this says who sent a signal
        return
    parent = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            continue
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def batches_in_epoch(items: Sequence[Example], settings: Settings) -> int:
    """Return how many batches ``training_batches`` yields in an epoch, duplicates included."""
    if settings.balance == "duplicate" and not settings.epoch_clips:
        counts = np.bincount([item.label for item in items])
        size = int(counts.max() * (counts > 0).sum())
    else:
        size = settings.epoch_clips or len(items)
    return max(1, size // settings.batch_size)


def check(train: Sequence[Example], emotions: Sequence[str]) -> None:
    """Refuse to train a class without clips.

    Raises:
        DataError: an emotion has no training clip, or there is only one emotion.
    """
    if len(emotions) < 2:
        raise DataError(
            f"all training clips are {', '.join(emotions) or 'without an emotion'}: two emotions or "
            "more are needed to tell one from another. Add clips of another emotion"
        )
    held = {item.label for item in train}
    missing = [emotion for i, emotion in enumerate(emotions) if i not in held]
    if missing:
        raise DataError(
            f"no training clip for {', '.join(missing)}; add clips, or leave the emotion out of "
            "the model's emotions"
        )
