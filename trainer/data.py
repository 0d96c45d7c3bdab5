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

from ser_core.augment import Chain, worker_rng
from ser_core.corpora.clip import Clip
from ser_core.specification import Specification
from trainer.balance import balanced_indices, duplicate_minority, sampling_weights
from trainer.decoded import DecodedClips
from trainer.errors import DataError
from trainer.settings import Settings

CROP_STEP = 0.25
"""Seconds between the lengths that a batch may have."""


class Batch(NamedTuple):
    """One batch of waveforms, or of rows of statistics (see `trainer.rows`).

    Attributes:
        waveform: float32 ``[batch, channel, time]``, zero behind each clip; rows are
            ``[batch, channel, bin, 1]``.
        lengths: valid samples (frames of rows), int64 ``[batch]``.
        targets: soft labels, float32 ``[batch, emotion]``.
        weights: of each clip in the loss, float32 ``[batch]``.
    """

    waveform: Tensor
    lengths: Tensor
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Example:
    """A clip ready to be trained on or judged.

    Attributes:
        clip: where it came from.
        digest: its content hash.
        target: probability of each emotion, sums to 1.
        weight: in the loss and in sampling.
    """

    clip: Clip
    digest: str
    target: tuple[float, ...]
    weight: float = 1.0

    @property
    def label(self) -> int:
        """Index of the likeliest emotion."""
        return int(np.argmax(self.target))


def examples(
    clips: Sequence[Clip],
    digests: Mapping[Path, str],
    emotions: Sequence[str],
    *,
    votes: float = 0.0,
) -> list[Example]:
    """Return what can be used of ``clips``: decoded, and of an emotion that the model has.

    Args:
        clips: any clips.
        digests: content hashes of the usable files.
        emotions: the model's classes.
        votes: share of the target taken from listeners' votes, where there are any.
    """
    place = {emotion: i for i, emotion in enumerate(emotions)}
    out = []
    for clip in clips:
        if clip.path not in digests or clip.emotion not in place:
            continue
        target = np.zeros(len(emotions))
        target[place[clip.emotion]] = 1.0
        if votes > 0 and clip.votes:
            heard = np.zeros(len(emotions))
            for emotion, count in clip.votes.items():
                if emotion in place:
                    heard[place[emotion]] += count
            if heard.sum() > 0:
                target = (1 - votes) * target + votes * heard / heard.sum()
        out.append(Example(clip, digests[clip.path], tuple(target.tolist())))
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
    ) -> None:
        self.items, self.decoded, self.specification = items, decoded, specification
        self.settings, self.batches, self.epoch, self.places = settings, batches, epoch, places
        self.chain = Chain.from_json(list(settings.augment)) if settings else None

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        chosen = self.batches[index]
        spec = self.specification
        shown = self._shown(index)
        waveform = np.zeros((len(chosen), spec.input_channels, shown), np.float32)
        lengths = np.zeros(len(chosen), np.int64)
        for row, place in enumerate(chosen):
            samples = self.decoded.samples(self.items[place].digest)
            samples = self._draw(samples, int(self.places[index][row]), shown)
            lengths[row] = samples.shape[1]
            waveform[row, :, : samples.shape[1]] = samples
        held = [self.items[place] for place in chosen]
        sampled = self.settings is not None and self.settings.balance == "sampling"
        return Batch(
            torch.from_numpy(waveform),
            torch.from_numpy(lengths),
            torch.tensor([item.target for item in held], dtype=torch.float32),
            # With sampling a clip's weight is how often it is drawn, not counted twice.
            torch.tensor([1.0 if sampled else item.weight for item in held]),
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
        self, samples: NDArray[np.float32], position: int, length: int
    ) -> NDArray[np.float32]:
        rate = self.specification.sample_rate
        if self.settings is None or self.chain is None:
            return centre(samples, length)
        rng = worker_rng(self.settings.seed, 0, self.epoch, position)
        samples = self.chain.draw(rng, samples, rate).apply(samples, rate)
        if samples.shape[1] < length and self.settings.short_clips == "repeat":
            # Nothing is to be hidden then, and no part of the batch is spent on silence.
            times = -(-length // max(1, samples.shape[1]))
            return np.tile(samples, times)[:, :length]
        if samples.shape[1] <= length:
            return samples
        start = int(rng.integers(samples.shape[1] - length + 1))
        return samples[:, start : start + length]


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
    drawn = _Drawn(items, decoded, specification, settings, batches, epoch, places)
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


def check(parts: Mapping[str, Sequence[Example]], emotions: Sequence[str]) -> None:
    """Refuse what can't be trained on.

    Raises:
        DataError: a side is empty, or an emotion has no training clip.
    """
    for side in ("train", "validation"):
        if not parts[side]:
            raise DataError(
                f"the {side} side of the split is empty: add speakers, or choose another scheme"
            )
    held = {item.label for item in parts["train"]}
    missing = [emotion for i, emotion in enumerate(emotions) if i not in held]
    if missing:
        raise DataError(
            f"no training clip for {', '.join(missing)}; add clips, or leave the emotion out of "
            "the model's emotions"
        )
