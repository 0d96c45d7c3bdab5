"""Learning from teachers: their softened probabilities and their pooled state.

Hinton, Vinyals and Dean 2015 (https://arxiv.org/abs/1503.02531) for the probabilities; Romero et
al. 2015, "FitNets" (https://arxiv.org/abs/1412.6550) for the state, here the part of it that
differs most between clips.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.checkpoint import Checkpoint
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings, Ticker, logits_of_states
from trainer.errors import SettingsError
from trainer.settings import Settings

HINT_SIZE = 128
"""Principal components of the teachers' states that a student learns."""
_SAMPLE = 4000


@dataclass(frozen=True)
class Lessons:
    """What teachers say of training clips and of their copies.

    Attributes:
        values: softened probabilities and hints side by side, float32
            ``[clip, 1 + copies, emotion + hint]``.
        emotions: how many of the columns are probabilities.
    """

    values: Tensor
    emotions: int

    @property
    def hint(self) -> int:
        """Size of a hint."""
        return int(self.values.shape[2]) - self.emotions


def take_lessons(
    settings: Settings,
    emotions: Sequence[str],
    items: Sequence[Example],
    decoded: DecodedClips,
    tick: Ticker | None = None,
) -> Lessons:
    """Ask the teachers about every clip and every copy; their states are kept, as a head's are.

    Args:
        settings: ``teacher``, ``augment``, ``copies`` and ``temperature`` say what is asked.
        emotions: the student's.
        items: training clips, labelled or not.
        decoded: where the samples are.
        tick: called with clips done and clips in all.

    Raises:
        SettingsError: a teacher knows none of the student's emotions, or hears other sound.
        CheckpointError: a teacher can't be opened.
    """
    softened, states = [], []
    for folder in settings.teacher:
        held = checkpoint.load(folder)
        _check(held, folder, emotions, decoded)
        kept = Embeddings(
            held.model, held.specification, decoded, recipe=settings.augment, tick=tick
        )
        pooled = kept.copies_of(items, settings)  # (clip, copy, size)
        flat = pooled.flatten(0, 1)
        softened.append(_softened(held, flat, emotions, settings.temperature))
        with torch.inference_mode():
            hints = [held.model.backbone.hint(part.float()) for part in torch.split(flat, 1024)]
        states.append(torch.cat(hints))
    # The mean of the logarithms: a teacher that is sure that it is not so has its say.
    mean = torch.stack(softened).log().mean(0).softmax(1)
    values = torch.cat([mean, _components(torch.cat(states, dim=1))], dim=1)
    return Lessons(values.view(len(items), settings.copies + 1, -1), len(emotions))


def with_unlabelled(
    train: Sequence[Example], unlabelled: Sequence[Example], lessons: Lessons
) -> list[Example]:
    """Return all clips that are learned from; those without a label have the teachers' for one.

    Args:
        train: labelled clips.
        unlabelled: clips without a label.
        lessons: of both, in that order.
    """
    taught = lessons.values[len(train) :, 0, : lessons.emotions]
    return [
        *train,
        *(
            dataclasses.replace(item, target=tuple(row.tolist()), labelled=False)
            for item, row in zip(unlabelled, taught, strict=True)
        ),
    ]


class DistillationLoss(nn.Module):
    """The part of the loss that comes from the teachers; its projection is thrown away later.

    Args:
        width: size of the student's pooled state.
        hint: size of a hint.
        temperature: of the probabilities.
        hint_weight: of the distance between projected state and hint, beside the probabilities'.
    """

    def __init__(self, width: int, hint: int, temperature: float, hint_weight: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, hint)
        self.temperature, self.hint_weight = temperature, hint_weight

    def forward(self, pooled: Tensor, logits: Tensor, lesson: Tensor) -> Tensor:
        """Return the loss of each clip, ``[batch]``.

        Args:
            pooled: the student's state, ``[batch, width]``.
            logits: the student's, ``[batch, emotion]``.
            lesson: probabilities and hint, ``[batch, emotion + hint]``.
        """
        soft, hint = lesson[:, : logits.shape[1]], lesson[:, logits.shape[1] :]
        log_probabilities = torch.log_softmax(logits.float() / self.temperature, dim=1)
        each = (
            nn.functional.kl_div(log_probabilities, soft, reduction="none").sum(1)
            * self.temperature**2
        )
        apart = (self.project(pooled.float()) - hint).square().mean(1)
        loss: Tensor = each + self.hint_weight * apart
        return loss


def _check(held: Checkpoint, folder: str, emotions: Sequence[str], decoded: DecodedClips) -> None:
    if not set(held.specification.emotions) & set(emotions):
        raise SettingsError(f"the teacher {folder} knows none of the student's emotions")
    if held.specification.trim_silence != decoded.trim:
        raise SettingsError(
            f"the teacher {folder} hears clips {'without' if not decoded.trim else 'with'} their "
            "silent ends and the student doesn't; set trim_silence to the teacher's"
        )


def _softened(
    held: Checkpoint, states: Tensor, emotions: Sequence[str], temperature: float
) -> Tensor:
    """Return a teacher's probabilities in the order of the student's emotions."""
    logits = torch.from_numpy(logits_of_states(held.model, states)).float()
    chance = (logits / temperature).softmax(1)
    out = torch.full((len(states), len(emotions)), 1e-6)
    for place, emotion in enumerate(held.specification.emotions):
        if emotion in emotions:
            out[:, list(emotions).index(emotion)] += chance[:, place]
    return out / out.sum(1, keepdim=True)


def _components(states: Tensor) -> Tensor:
    """Return the first principal components, each scaled by the root of its deviation.

    Whitened they would all count alike, as they are the first would count for everything.
    """
    rng = np.random.default_rng(0)
    sample = states[torch.from_numpy(rng.permutation(len(states))[:_SAMPLE])]
    mean = sample.mean(0)
    _, found, axes = torch.linalg.svd(sample - mean, full_matrices=False)
    deviation = (found / max(1, len(sample) - 1) ** 0.5)[:HINT_SIZE].clamp_min(1e-6)
    components: Tensor = (states - mean) @ axes[:HINT_SIZE].T / deviation.sqrt()
    return components
