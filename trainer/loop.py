"""The training loop, on pytorch-ignite: resumable at any step, the same result either way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ser_core.augment import Chain, mixup, worker_rng
from ser_core.calibration import softmax
from ser_core.frontends import FeatureMap
from ser_core.model import Model
from ser_core.specification import Specification
from trainer import parallel
from trainer.balance import OVERSAMPLERS, class_weights
from trainer.data import Batch, Example, batches_in_epoch, middle, training_batches
from trainer.decoded import DecodedClips
from trainer.errors import DivergedError, InterruptedRunError, OutOfMemoryError, StorageError
from trainer.rows import batches_of_rows, make_rows, row_batches
from trainer.settings import Settings

STATE = "state.pt"
Log = Callable[[str], None]


@dataclass
class Progress:
    """What the loop tells while it runs; every field may be replaced.

    Attributes:
        log: takes a line.
        step: takes steps done, steps in all, and the last loss.
        epoch: takes the figures of an epoch; may raise to stop the run (pruning).
    """

    log: Log = print
    step: Callable[[int, int, float], None] = field(default=lambda done, total, loss: None)
    epoch: Callable[[dict[str, float]], None] = field(default=lambda figures: None)


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type that matrix products run in, or None for float32."""
    if precision == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        # Without instructions for bfloat16 a CPU emulates it, slower than float32.
        fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
        return torch.bfloat16 if fast else None
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def make_optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Return the optimizer; biases and norms are not decayed."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim > 1 else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups, settings.learning_rate, settings.momentum, nesterov=settings.momentum > 0
        )
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, settings.learning_rate)


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


class Loop:
    """One run.

    Args:
        model: what is trained, on its device.
        specification: of the model.
        settings: of the run.
        train, validation: clips; the model is chosen by the second and never learns from it.
        decoded: where the samples are.
        folder: where the resumable state goes.
        progress: who is told.
        clock: seconds, for rates and for saving now and then.
    """

    def __init__(
        self,
        model: Model,
        specification: Specification,
        settings: Settings,
        train: Sequence[Example],
        validation: Sequence[Example],
        decoded: DecodedClips,
        folder: Path,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model, self.specification, self.settings = model, specification, settings
        self.train, self.validation, self.decoded = list(train), list(validation), decoded
        self.folder, self.progress, self.clock = folder, progress or Progress(), clock
        self.device = next(model.parameters()).device
        self.dtype = autocast_dtype(settings.precision, self.device)
        if self.device.type in ("cpu", "cuda"):
            # The stubs of Module.to leave memory_format out.
            model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(model, settings)
        self.averaged = (
            AveragedModel(model, multi_avg_fn=self._average, use_buffers=True)
            if settings.average > 0
            else None
        )
        self.scaler = torch.amp.grad_scaler.GradScaler(
            self.device.type, enabled=self.dtype is torch.float16 and self.device.type == "cuda"
        )
        self.feature_chain = Chain.from_json(list(settings.feature_augment))
        self.frontend_learns = any(p.requires_grad for p in model.frontend.parameters())
        self.rows = (
            make_rows(model, specification, self.train, decoded, settings)
            if settings.balance in OVERSAMPLERS
            else None
        )
        self.per_epoch = (
            batches_in_epoch(self.train, settings)
            if self.rows is None
            else batches_of_rows(self.rows, settings)
        )
        self.steps = self.per_epoch * settings.epochs
        self.class_weights = torch.ones(len(specification.emotions))
        if settings.balance == "class-weights":
            labels = np.array([item.label for item in self.train], dtype=np.int64)
            self.class_weights = torch.tensor(
                class_weights(labels, specification.emotions), dtype=torch.float32
            )
        self.epoch, self.batch = 0, 0
        self.pieces = 1
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.since_best = -float("inf"), 0
        self.stop_asked = threading.Event()
        self.saved_at = clock()

    def _average(
        self,
        averaged: tuple[Tensor, ...] | list[Tensor],
        current: tuple[Tensor, ...] | list[Tensor],
        count: Tensor | int,
    ) -> None:
        # A young average follows closely, or it would remember the random start.
        decay = min(self.settings.average, (1 + int(count)) / (10 + int(count)))
        if averaged[0].is_floating_point():
            # One pass over all tensors at once: in Python it costs as much as a small batch.
            torch._foreach_lerp_(averaged, current, 1 - decay)
        else:
            for mine, theirs in zip(averaged, current, strict=True):
                mine.copy_(theirs)

    # -- one step ---------------------------------------------------------------------------

    def _features(self, batch: Batch, rng: np.random.Generator) -> tuple[FeatureMap, Tensor]:
        """Return masked and mixed features and their targets."""
        waveform, lengths = batch.waveform.to(self.device), batch.lengths.to(self.device)
        if self.rows is not None:
            features = FeatureMap(waveform, lengths)
        else:
            with torch.set_grad_enabled(self.frontend_learns):
                features = self.model.features(waveform, lengths)
        values, targets = features.values, batch.targets.to(self.device)
        if self.feature_chain.steps:
            drawn = [self.feature_chain.draw(rng) for _ in range(len(values))]
            values = torch.stack(
                [
                    chain.apply_features(value, int(valid))
                    for chain, value, valid in zip(drawn, values, features.lengths, strict=True)
                ]
            )
        kept = features.lengths
        if self.settings.mixup > 0 and len(values) > 1:
            values, targets, kept = mixup(values, targets, kept, self.settings.mixup, rng)
        return FeatureMap(values.contiguous(memory_format=torch.channels_last), kept), targets

    def _backward(
        self, features: FeatureMap, targets: Tensor, weights: Tensor, total: float
    ) -> float:
        """Add one batch's gradients, in as many pieces as memory allows; return its loss.

        Nothing is exchanged with other processes here: one that must try again is alone in it.
        """
        loss_sum = 0.0
        for part in torch.arange(len(targets), device=self.device).chunk(self.pieces):
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
                logits = self.model.backbone(
                    FeatureMap(features.values[part], features.lengths[part])
                )
            loss = soft_loss(
                logits, targets[part], weights[part], self.settings.label_smoothing
            ) * (weights[part].sum() / total)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach())
        return loss_sum

    def step(self, engine: Engine, batch: Batch) -> float:
        """Learn from one batch; return its loss."""
        number = self.epoch * self.per_epoch + self.batch
        place = self.batch * parallel.world() + parallel.rank()
        rng = worker_rng(self.settings.seed + 1, 0, self.epoch, place)
        # Dropout draws from here, so that a step is the same whether or not a run was resumed.
        torch.manual_seed(int(rng.integers(2**62)))
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * rate_factor(
                number, self.steps, self.settings
            )
        features, targets = self._features(batch, rng)
        weights = batch.weights.to(self.device) * (targets @ self.class_weights.to(self.device))
        held = (
            [p.grad.clone() if p.grad is not None else None for p in self._parameters()]
            if (self.batch % self.settings.accumulate)
            else None
        )
        total = parallel.total(float(weights.sum())) * self.settings.accumulate
        while True:
            try:
                loss = self._backward(features, targets, weights, total)
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
                self.progress.log(
                    f"out of memory ({str(error)[:60]}): the batch of {len(targets)} now goes "
                    f"through in {self.pieces} pieces"
                )
                for index, parameter in enumerate(self._parameters()):
                    grad = None if held is None else held[index]
                    parameter.grad = None if grad is None else grad.clone()
        loss = parallel.total(loss) * self.settings.accumulate
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at epoch {self.epoch + 1}, batch {self.batch + 1}; "
                "lower the learning rate or train in fp32. Nothing was promoted."
            )
        self.batch += 1
        last = self.batch == self.per_epoch
        if self.batch % self.settings.accumulate == 0 or last:
            self._update()
        return loss

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def _update(self) -> None:
        parallel.sum_gradients(self._parameters())
        self.scaler.unscale_(self.optimizer)
        if self.settings.gradient_clip > 0:
            nn.utils.clip_grad_norm_(self._parameters(), self.settings.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    # -- a run ------------------------------------------------------------------------------

    def run(self) -> list[dict[str, float]]:
        """Train, resuming where a run in the same folder stopped; return figures by epoch.

        The best weights by the validation clips are in the model afterwards.

        Raises:
            DivergedError: the loss is no longer a number.
            InterruptedRunError: a signal came; the state was saved first.
        """
        self._restore()
        parallel.same_start([*self.model.parameters(), *self.model.buffers()])
        with _Signals(self.stop_asked):
            while self.epoch < self.settings.epochs and not self._enough():
                self._epoch()
        if self.best is not None:
            self.model.load_state_dict(self.best)
        self.model.eval()
        return self.history

    def _enough(self) -> bool:
        patience = self.settings.early_stop
        return patience > 0 and self.since_best >= patience

    def _epoch(self) -> None:
        losses: list[float] = []
        started, first = self.clock(), self.batch
        engine = Engine(self.step)

        def after(engine: Engine) -> None:
            losses.append(float(engine.state.output))  # type: ignore[arg-type]
            done = self.epoch * self.per_epoch + self.batch
            self.progress.step(done, self.steps, losses[-1])
            due = parallel.share(self.clock() - self.saved_at > self.settings.save_seconds)
            whole = self.batch % self.settings.accumulate == 0
            stop = parallel.any_of(self.stop_asked.is_set())
            if stop or (due and whole and self.batch < self.per_epoch):
                if whole:
                    self.save_state()
                if stop:
                    raise InterruptedRunError(
                        f"stopped at epoch {self.epoch + 1}, batch {self.batch}; "
                        "the same command goes on from there"
                    )

        engine.add_event_handler(Events.ITERATION_COMPLETED, after)
        engine.run(self._batches(), max_epochs=1, epoch_length=self.per_epoch - self.batch)
        seconds = self.clock() - started
        parallel.average_buffers(self.model)
        if self.averaged is not None:
            parallel.average_buffers(self.averaged)
        figures: dict[str, float] = parallel.share(self._validate() if parallel.first() else {})
        figures |= {
            "epoch": float(self.epoch + 1),
            "train_loss": float(np.mean(losses)) if losses else float("nan"),
            "clips_per_second": (self.batch - first)
            * self.settings.batch_size
            / max(seconds, 1e-9),
        }
        self.history.append(figures)
        score = figures["uar"] if self.settings.early_stop_on == "uar" else -figures["loss"]
        if score > self.best_score:
            self.best_score, self.since_best = score, 0
            self.best = {
                k: v.detach().cpu().clone() for k, v in self.evaluated.state_dict().items()
            }
        else:
            self.since_best += 1
        self.epoch, self.batch = self.epoch + 1, 0
        self.save_state()
        self.progress.log(
            f"epoch {self.epoch}/{self.settings.epochs}: loss {figures['train_loss']:.3f}, "
            f"validation loss {figures['loss']:.3f}, UAR {figures['uar']:.3f}, "
            f"{figures['clips_per_second']:.0f} clips/s"
        )
        self.progress.epoch(figures)

    def _batches(self) -> Iterator[Batch]:
        share = {"epoch": self.epoch, "skip": self.batch}
        share |= {"rank": parallel.rank(), "world": parallel.world()}
        if self.rows is not None:
            return row_batches(self.rows, self.settings, **share)
        return training_batches(
            self.train, self.decoded, self.specification, self.settings, **share
        )

    @property
    def evaluated(self) -> Model:
        """The weights that are judged and kept: the average where there is one."""
        if self.averaged is None:
            return self.model
        averaged: Model = self.averaged.module  # type: ignore[assignment]
        return averaged

    def _validate(self) -> dict[str, float]:
        logits = clip_logits(
            self.evaluated, self.specification, self.validation, self.decoded, self.dtype
        )
        labels = np.array([item.label for item in self.validation])
        if not np.isfinite(logits).all():
            raise DivergedError(
                f"after epoch {self.epoch + 1} the model answers with values that are no numbers; "
                "lower the learning rate or train in fp32. Nothing was promoted."
            )
        chance = softmax(logits)
        loss = float(-np.log(chance[np.arange(len(labels)), labels] + 1e-12).mean())
        return {"loss": loss, "uar": mean_uar(logits, self.validation)}

    # -- state ------------------------------------------------------------------------------

    def save_state(self) -> None:
        """Write everything that a resumed run needs, whole or not at all."""
        self.saved_at = self.clock()
        if not parallel.first():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "settings": repr(self._identity()),
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else {},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "history": self.history,
            "best": self.best or {},
            "best_score": self.best_score,
            "since_best": self.since_best,
        }
        partial = self.folder / f".{STATE}.part"
        try:
            with partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.folder / STATE)
        except (OSError, RuntimeError) as error:
            # torch says RuntimeError where the disk is full.
            partial.unlink(missing_ok=True)
            why = getattr(error, "strerror", None) or "the disk may be full"
            raise StorageError(
                f"the state of the run can't be written to {self.folder} ({why}); make room and "
                "give the same command again. Nothing was promoted."
            ) from error

    def _identity(self) -> dict[str, Any]:
        """What a resumed run must have in common with the one that was stopped."""
        clips = [(item.digest, item.label, item.weight) for item in self.train]
        return self.settings.identity() | {"clips": clips}

    def _saved(self) -> dict[str, Any] | None:
        path = self.folder / STATE
        if not path.is_file():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["settings"] != repr(self._identity()):
            self.progress.log("the settings or the clips changed: starting from the beginning")
            return None
        return state

    def _restore(self) -> None:
        # On several machines only the first process's has the file.
        state = parallel.share(self._saved() if parallel.first() else None)
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.history = state["history"]
        self.best = state["best"] or None
        self.best_score, self.since_best = state["best_score"], state["since_best"]
        self.progress.log(f"going on from epoch {self.epoch + 1}, batch {self.batch + 1}")


def _out_of_memory(error: Exception) -> bool:
    # The CPU's allocator has no class of its own for it.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(error)
    )


class _Signals:
    """Turn SIGTERM and SIGINT into a request to save and stop, while in the main thread."""

    def __init__(self, asked: threading.Event) -> None:
        self.asked = asked
        self.before: dict[int, Any] = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked.set()

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.before[number] = signal.signal(number, self._ask)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def clip_logits(
    model: Model,
    specification: Specification,
    items: Sequence[Example],
    decoded: DecodedClips,
    dtype: torch.dtype | None = None,
    batch_size: int = 32,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return logits ``[clip, emotion]`` of the middle window of each clip, in evaluation mode."""
    device = next(model.parameters()).device
    model.eval()
    rows = []
    for first in range(0, len(items), batch_size):
        waveform, lengths = middle(items[first : first + batch_size], decoded, specification)
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype, enabled=dtype is not None),
        ):
            logits = model(waveform.to(device), lengths.to(device))
        rows.append(logits.double().cpu().numpy())
    return np.concatenate(rows) if rows else np.zeros((0, len(specification.emotions)))


def mean_uar(logits: np.ndarray[Any, Any], items: Sequence[Example]) -> float:
    """Return the mean over corpora of the UAR, over the emotions that each corpus has."""
    labels = np.array([item.label for item in items])
    corpora = np.array([item.clip.corpus for item in items])
    scores = []
    for corpus in sorted(set(corpora.tolist())):
        inside = corpora == corpus
        own = sorted(set(labels[inside].tolist()))
        chosen = np.array(own)[logits[inside][:, own].argmax(axis=1)]
        truth = labels[inside]
        scores.append(np.mean([(chosen[truth == e] == e).mean() for e in own]))
    return float(np.mean(scores))
