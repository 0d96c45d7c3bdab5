"""From a batch of features to better weights: gradients in as many pieces as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ser_core.checkpoints.model import Model
from ser_core.device import autocast_dtype
from ser_core.frontends import FeatureMap
from trainer.errors import OutOfMemoryError
from trainer.settings import Settings
from trainer.training import parallel
from trainer.training.distillation import DistillationLoss, Lessons

LAYER_RATE = 10.0
"""How much faster the weights of an encoder's layers learn than the rest."""

YOUNG = 16
"""Steps in which the average takes in every one; it hardly moves on a single later one."""

LATER = 4
"""From then on it takes in every fourth, for all four."""


def make_optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Return the optimizer; biases and norms are not decayed.

    On a CPU a step is one pass over each weight (``fused``), a third of what torch does by itself;
    it needs gradients that lie in memory as their weights do (see ``aligned``).
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    layers: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.endswith("layer_weights"):
            layers.append(parameter)
        else:
            (decayed if parameter.ndim > 1 else free).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    if layers:
        # A handful of numbers behind a softmax hardly moves at a rate that suits matrices.
        groups.append({"params": layers, "weight_decay": 0.0, "rate": LAYER_RATE})
    # None leaves the choice to torch, which is a good one on a GPU.
    fused = True if next(model.parameters()).device.type == "cpu" else None
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            settings.learning_rate,
            settings.momentum,
            nesterov=settings.momentum > 0,
            fused=fused,
        )
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, settings.learning_rate, fused=fused)


def aligned(tensor: Tensor, weight: Tensor) -> Tensor:
    """Return ``tensor`` in the memory layout of ``weight``: itself where it is so already.

    The fused step on a CPU walks through memory and would silently pair the wrong elements.

    Args:
        tensor: a gradient or a momentum, of the shape of ``weight``.
        weight: for instance a convolution's, in channels-last order.
    """
    if tensor.stride() == weight.stride():
        return tensor
    return torch.empty_like(weight).copy_(tensor)


def rate_factor(step: int, steps: int, settings: Settings) -> float:
    """Return the share of the learning rate at ``step``: linear warm-up, then cosine or constant.

    >>> s = Settings(warm_up=0.5, schedule="cosine")
    >>> [round(rate_factor(i, 8, s), 2) for i in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    warm = int(steps * settings.warm_up)
    if step < warm:
        return (step + 1) / warm
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def soft_loss(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Return the cross entropy with soft targets, weighted by clip."""
    spread = (1 - smoothing) * targets + smoothing / targets.shape[1]
    each = -(spread * torch.log_softmax(logits.float(), dim=1)).sum(dim=1)
    return (each * weights).sum() / weights.sum().clamp_min(1e-8)


def clip_gradients(parameters: Sequence[nn.Parameter], most: float) -> None:
    """Scale the gradients so that their norm is at most ``most``.

    As ``nn.utils.clip_grad_norm_`` does, but on a CPU, where reading the norm costs nothing, a
    second pass over all gradients is spared where nothing is to be clipped.
    """
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(grads)
    if norm.device.type == "cpu" and float(norm) + 1e-6 <= most:
        return
    nn.utils.clip_grads_with_norm_(parameters, most, norm)


class Learner:
    """A model with its optimizer, its averaged weights and its precision.

    Args:
        model: what learns, on its device.
        settings: of the run.
        log: takes a line.
        forward: features to logits; None is the model's backbone.
    """

    def __init__(
        self,
        model: Model,
        settings: Settings,
        log: Callable[[str], None],
        forward: Callable[[FeatureMap], Tensor] | None = None,
    ) -> None:
        self.model, self.settings, self.log = model, settings, log
        self.forward = forward or model.backbone
        # Made by ``learn_from``; it is trained beside the model and no part of it.
        self.teaching: DistillationLoss | None = None
        self.device = next(model.parameters()).device
        self.dtype = autocast_dtype(settings.precision, self.device)
        if self.device.type in ("cpu", "cuda"):
            # The stubs of Module.to leave memory_format out.
            model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(model, settings)
        self.parameters: list[nn.Parameter] = [
            parameter for group in self.optimizer.param_groups for parameter in group["params"]
        ]
        # What doesn't learn needs no average: of a whole encoder it is as much work as the head.
        self.frozen = {p.data_ptr() for p in model.parameters() if not p.requires_grad}
        self.averaged = (
            AveragedModel(model, multi_avg_fn=self._average, use_buffers=True)
            if settings.average > 0
            else None
        )
        self.scaler = torch.amp.grad_scaler.GradScaler(
            self.device.type, enabled=self.dtype is torch.float16 and self.device.type == "cuda"
        )
        self.pieces = 1
        self.taken = 0

    def learn_from(self, lessons: Lessons) -> None:
        """Learn from teachers too, beside the labels."""
        settings = self.settings
        self.teaching = DistillationLoss(
            self.model.backbone.width, lessons.hint, settings.temperature, settings.hint_weight
        ).to(self.device)
        own = list(self.teaching.parameters())
        self.optimizer.add_param_group({"params": own, "weight_decay": settings.weight_decay})
        self.parameters += own

    @property
    def evaluated(self) -> Model:
        """The weights that are judged and kept: the average where there is one."""
        if self.averaged is None:
            return self.model
        averaged: Model = self.averaged.module  # type: ignore[assignment]
        return averaged

    def start(self, number: int, steps: int) -> None:
        """Set the learning rate of batch ``number`` of ``steps``, and training mode."""
        self.model.train()
        if self.settings.keep_statistics:
            for module in self.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        rate = self.settings.learning_rate * rate_factor(number, steps, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate", 1.0)

    def backward(
        self,
        features: FeatureMap,
        targets: Tensor,
        weights: Tensor,
        *,
        held: bool,
        lesson: Tensor | None = None,
    ) -> float:
        """Add the gradients of one batch to those that are there, and return its loss.

        Where memory runs out the batch goes through in twice as many pieces, from then on.

        Args:
            features: of the batch.
            targets: soft labels, ``[batch, emotion]``.
            weights: of each clip in the loss, ``[batch]``.
            held: earlier batches of the same step left gradients.
            lesson: what teachers say, ``[batch, emotion + hint]``; None without any.

        Raises:
            OutOfMemoryError: not even a single clip goes through.
        """
        before = (
            [p.grad.clone() if p.grad is not None else None for p in self.parameters]
            if held
            else None
        )
        total = parallel.total(float(weights.sum())) * self.settings.accumulate
        total = max(total, 1e-8)  # a batch may have no label at all
        while True:
            try:
                loss = self._gradients(features, targets, weights, total, lesson)
                break
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                if self.pieces >= len(targets):
                    raise OutOfMemoryError(
                        f"out of memory even clip by clip ({str(error)[:60]}); take shorter "
                        "windows (--seconds) or a smaller backbone. Nothing was promoted."
                    ) from error
                self.pieces *= 2
                self.log(
                    f"out of memory ({str(error)[:60]}): the batch of {len(targets)} now goes "
                    f"through in {self.pieces} pieces"
                )
                for index, parameter in enumerate(self.parameters):
                    grad = None if before is None else before[index]
                    parameter.grad = None if grad is None else grad.clone()
        return parallel.total(loss) * self.settings.accumulate

    def _gradients(
        self,
        features: FeatureMap,
        targets: Tensor,
        weights: Tensor,
        total: float,
        lesson: Tensor | None,
    ) -> float:
        # Nothing is exchanged with other processes here: one that must try again is alone in it.
        loss_sum = 0.0
        size = -(-len(targets) // self.pieces)
        for first in range(0, len(targets), size):
            part = slice(first, first + size)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
                shown = FeatureMap(features.values[part], features.lengths[part])
                if lesson is None or self.teaching is None:
                    logits = self.forward(shown)
                else:
                    state = self.model.backbone.embed(shown)
                    logits = self.model.backbone.classifier(state)
            loss = soft_loss(
                logits, targets[part], weights[part], self.settings.label_smoothing
            ) * (weights[part].sum() / total)
            if lesson is not None and self.teaching is not None:
                taught = self.teaching(state, logits, lesson[part]).sum()
                clips = len(targets) * parallel.world() * self.settings.accumulate
                loss = loss + self.settings.teacher_weight * taught / clips
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach())
        return loss_sum

    def update(self) -> None:
        """Take a step along the gradients that were added up."""
        parallel.sum_gradients(self.parameters)
        self.scaler.unscale_(self.optimizer)
        if self.settings.gradient_clip > 0:
            clip_gradients(self.parameters, self.settings.gradient_clip)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad = aligned(parameter.grad, parameter)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.taken_in()

    def taken_in(self) -> None:
        """Let the average take in the step just taken, where its turn has come.

        At first every step counts; later four at once are as good, and a pass over all weights
        takes as long as a few clips.
        """
        if self.averaged is not None and (self.taken < YOUNG or self.taken % LATER == LATER - 1):
            self.averaged.update_parameters(self.model)
        self.taken += 1

    def _average(
        self,
        averaged: tuple[Tensor, ...] | list[Tensor],
        current: tuple[Tensor, ...] | list[Tensor],
        count: Tensor | int,
    ) -> None:
        # A young average follows closely, or it would remember the random start.
        decay = min(self.settings.average, (1 + self.taken) / (10 + self.taken))
        if self.taken >= YOUNG:
            decay **= LATER
        if averaged[0].is_floating_point():
            pairs = [
                (mine, theirs)
                for mine, theirs in zip(averaged, current, strict=True)
                if theirs.data_ptr() not in self.frozen
            ]
            # One pass over all tensors at once: in Python it costs as much as a small batch.
            if pairs:
                torch._foreach_lerp_([m for m, _ in pairs], [t for _, t in pairs], 1 - decay)
        else:
            for mine, theirs in zip(averaged, current, strict=True):
                mine.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs of it."""
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else {},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "taken": self.taken,
            "teaching": {} if self.teaching is None else self.teaching.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state_dict`` returned."""
        self.model.load_state_dict(state["model"])
        self.taken = state.get("taken", 0)
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        if self.teaching is not None:
            self.teaching.load_state_dict(state["teaching"])
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, held in self.optimizer.state.items():
            for name, value in held.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    held[name] = aligned(value, parameter)
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def _out_of_memory(error: Exception) -> bool:
    # The CPU's allocator has no class of its own for it.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(error)
    )
