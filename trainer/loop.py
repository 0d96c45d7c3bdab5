"""The training loop, on pytorch-ignite: resumable at any step, the same result either way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from ser_core.augment import Chain, mixup, worker_rng
from ser_core.calibration import softmax
from ser_core.frontends import FeatureMap
from ser_core.model import Model
from ser_core.specification import Specification
from trainer import parallel, state
from trainer.balance import OVERSAMPLERS, class_weights
from trainer.data import Batch, Example, batches_in_epoch, training_batches
from trainer.decoded import DecodedClips
from trainer.errors import DivergedError, InterruptedRunError
from trainer.learner import Learner
from trainer.measure import FloatArray, clip_logits, mean_uar, row_logits
from trainer.rows import batches_of_rows, make_rows, row_batches, statistics
from trainer.settings import Settings
from trainer.stop import Signals

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
        self.learner = Learner(model, settings, lambda line: self.progress.log(line))
        self.device = self.learner.device
        self.feature_chain = Chain.from_json(list(settings.feature_augment))
        self.frontend_learns = any(p.requires_grad for p in model.frontend.parameters())
        self.rows = (
            make_rows(model, specification, self.train, decoded, settings)
            if settings.balance in OVERSAMPLERS
            else None
        )
        # Statistics are taken once: nothing in front of the backbone learns or is drawn.
        self.judged = (
            statistics(model, specification, self.validation, decoded)
            if self.rows is not None
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
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.since_best = -float("inf"), 0
        self.stop_asked = threading.Event()
        self.saved_at = clock()

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

    def step(self, engine: Engine, batch: Batch) -> float:
        """Learn from one batch; return its loss."""
        place = self.batch * parallel.world() + parallel.rank()
        rng = worker_rng(self.settings.seed + 1, 0, self.epoch, place)
        # Dropout draws from here, so that a step is the same whether or not a run was resumed.
        torch.manual_seed(int(rng.integers(2**62)))
        self.learner.start(self.epoch * self.per_epoch + self.batch, self.steps)
        features, targets = self._features(batch, rng)
        weights = batch.weights.to(self.device) * (targets @ self.class_weights.to(self.device))
        held = self.batch % self.settings.accumulate > 0
        loss = self.learner.backward(features, targets, weights, held=held)
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at epoch {self.epoch + 1}, batch {self.batch + 1}; "
                "lower the learning rate or train in fp32. Nothing was promoted."
            )
        self.batch += 1
        if self.batch % self.settings.accumulate == 0 or self.batch == self.per_epoch:
            self.learner.update()
        return loss

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
        with Signals(self.stop_asked):
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
        if self.learner.averaged is not None:
            parallel.average_buffers(self.learner.averaged)
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
                k: v.detach().cpu().clone() for k, v in self.learner.evaluated.state_dict().items()
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

    def _validate(self) -> dict[str, float]:
        logits = self._validation_logits()
        labels = np.array([item.label for item in self.validation])
        if not np.isfinite(logits).all():
            raise DivergedError(
                f"after epoch {self.epoch + 1} the model answers with values that are no numbers; "
                "lower the learning rate or train in fp32. Nothing was promoted."
            )
        chance = softmax(logits)
        loss = float(-np.log(chance[np.arange(len(labels)), labels] + 1e-12).mean())
        return {"loss": loss, "uar": mean_uar(logits, self.validation)}

    def _validation_logits(self) -> FloatArray:
        judge, dtype = self.learner.evaluated, self.learner.dtype
        if self.judged is None:
            return clip_logits(judge, self.specification, self.validation, self.decoded, dtype)
        return row_logits(judge, self.judged, dtype)

    # -- state ------------------------------------------------------------------------------

    def save_state(self) -> None:
        """Write everything that a resumed run needs, whole or not at all."""
        self.saved_at = self.clock()
        if not parallel.first():
            return
        values: dict[str, Any] = {
            "settings": repr(self._identity()),
            **self.learner.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "history": self.history,
            "best": self.best or {},
            "best_score": self.best_score,
            "since_best": self.since_best,
        }
        state.write(self.folder, values)

    def _identity(self) -> dict[str, Any]:
        """What a resumed run must have in common with the one that was stopped."""
        clips = [(item.digest, item.label, item.weight) for item in self.train]
        return self.settings.identity() | {"clips": clips}

    def _saved(self) -> dict[str, Any] | None:
        values = state.read(self.folder)
        if values is not None and values["settings"] != repr(self._identity()):
            self.progress.log("the settings or the clips changed: starting from the beginning")
            return None
        return values

    def _restore(self) -> None:
        # On several machines only the first process's has the file.
        values = parallel.share(self._saved() if parallel.first() else None)
        if values is None:
            return
        self.learner.load_state_dict(values)
        self.epoch, self.batch = values["epoch"], values["batch"]
        self.history = values["history"]
        self.best = values["best"] or None
        self.best_score, self.since_best = values["best_score"], values["since_best"]
        self.progress.log(f"going on from epoch {self.epoch + 1}, batch {self.batch + 1}")
