"""The training loop, on pytorch-ignite: resumable at any step, the same result either way.

An engine lives for one epoch here, since a run goes on at any batch of it. ignite's handlers for
early stopping, checkpoints and learning rates count the events of one engine over the whole run,
so each would have to be rebuilt and set by hand every epoch: the patience is a counter in the saved
state instead, the learning rate a function of the step (`learner.rate_factor`), and the state one
file that is written whole and synced (`state.write`), which ignite's DiskSaver does not do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from ser_core.augment import Chain, mixup, worker_rng
from ser_core.checkpoints.calibration import softmax
from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import FeatureMap
from ser_core.frontends.base import ChangeFeatures
from trainer.data.balance import class_weights
from trainer.data.batches import Batch, Example, batches_in_epoch, training_batches
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings, head_logits, logits_of_states, state_batches
from trainer.data.feature_rows import batches_of_rows, make_rows, row_batches, statistics
from trainer.errors import DivergedError, InterruptedRunError
from trainer.evaluation.middle_window import (
    FloatArray,
    middle_window_logits,
    middle_window_uar,
    row_logits,
)
from trainer.lifecycle.stop import Signals
from trainer.settings import OVERSAMPLERS, Settings
from trainer.training import parallel, state
from trainer.training.callbacks import Callbacks
from trainer.training.distillation import Lessons
from trainer.training.learner import Learner

PACE = 10
"""Steps after which it is said how long a run will take."""


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
        embeddings: pooled states, where nothing but the head learns.
        lessons: what teachers say of the training clips.
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
        progress: Callbacks | None = None,
        embeddings: Embeddings | None = None,
        lessons: Lessons | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model, self.specification, self.settings = model, specification, settings
        self.train, self.validation, self.decoded = list(train), list(validation), decoded
        self.folder, self.progress, self.clock = folder, progress or Callbacks(), clock
        self.states = None if embeddings is None else embeddings.copies_of(self.train, settings)
        self.learner = Learner(
            model,
            settings,
            lambda line: self.progress.log(line),
            None if self.states is None else partial(head_logits, model),
        )
        self.lessons = lessons
        if lessons is not None:
            self.learner.learn_from(lessons)
        self.device = self.learner.device
        self.feature_chain = Chain.from_json(list(settings.feature_augment))
        self.frontend_learns = any(p.requires_grad for p in model.frontend.parameters())
        self.rows = (
            make_rows(
                model, specification, self.train, decoded, settings, lambda x: self.progress.log(x)
            )
            if settings.balance in OVERSAMPLERS
            else None
        )
        # Statistics are taken once: nothing in front of the backbone learns or is drawn.
        self.validation_rows = (
            statistics(model, specification, self.validation, decoded)
            if self.rows is not None and model.frontend.layout == "vector"
            else None
        )
        self.validation_states = None if embeddings is None else embeddings.of(self.validation)
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

    def _features(
        self, batch: Batch, rng: np.random.Generator
    ) -> tuple[FeatureMap, Tensor, Tensor | None]:
        """Return masked and mixed features, their targets and what teachers say of them."""
        waveform, lengths = batch.waveform.to(self.device), batch.lengths.to(self.device)
        if self.rows is not None or self.states is not None:
            features = FeatureMap(waveform, lengths)  # settings refuse masks on these
        else:
            with torch.set_grad_enabled(self.frontend_learns):
                features = self.model.features(waveform, lengths, self._masks(len(waveform), rng))
        values, targets = features.values, batch.targets.to(self.device)
        if batch.lesson is not None:  # mixed as the labels are
            targets = torch.cat([targets, batch.lesson.to(self.device)], dim=1)
        kept = features.lengths
        if self.settings.mixup > 0 and len(values) > 1:
            values, targets, kept = mixup(values, targets, kept, self.settings.mixup, rng)
        shown = FeatureMap(values.contiguous(memory_format=torch.channels_last), kept)
        if batch.lesson is None:
            return shown, targets, None
        size = batch.targets.shape[1]
        return shown, targets[:, :size], targets[:, size:]

    def _masks(self, clips: int, rng: np.random.Generator) -> ChangeFeatures | None:
        """Return what lays masks over one clip after the other, drawn for each; None: none are."""
        if not self.feature_chain.steps:
            return None
        drawn = iter([self.feature_chain.draw(rng) for _ in range(clips)])
        return lambda values, frames: next(drawn).apply_features(values, frames)

    def step(self, engine: Engine, batch: Batch) -> float:
        """Learn from one batch; return its loss."""
        place = self.batch * parallel.world() + parallel.rank()
        rng = worker_rng(self.settings.seed + 1, 0, self.epoch, place)
        # Dropout draws from here, so that a step is the same whether or not a run was resumed.
        torch.manual_seed(int(rng.integers(2**62)))
        self.learner.start(self.epoch * self.per_epoch + self.batch, self.steps)
        features, targets, lesson = self._features(batch, rng)
        weights = batch.weights.to(self.device) * (targets @ self.class_weights.to(self.device))
        held = self.batch % self.settings.accumulate > 0
        loss = self.learner.backward(features, targets, weights, held=held, lesson=lesson)
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
        self.progress.plan({"epochs": self.settings.epochs, "steps": self.steps})
        self.progress.phase("training")
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
            if not self.history and self.batch - first == PACE:
                self._plan(done, (self.clock() - started) / PACE)
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
        uar, loss = figures["middle_window_uar"], figures["middle_window_loss"]
        score = uar if self.settings.early_stop_on == "uar" else -loss
        if score > self.best_score:
            self.best_score, self.since_best = score, 0
            self.best = {
                k: v.detach().cpu().clone() for k, v in self.learner.evaluated.state_dict().items()
            }
        else:
            self.since_best += 1
        self.epoch, self.batch = self.epoch + 1, 0
        if self.states is None:  # a head is trained again in less time than it takes to save it
            self.save_state()
        self.progress.log(
            f"epoch {self.epoch}/{self.settings.epochs}: loss {figures['train_loss']:.3f}, "
            f"validation loss {loss:.3f}, UAR {uar:.3f} (middle windows), "
            f"{figures['clips_per_second']:.0f} clips/s"
        )
        self.progress.epoch(figures)

    def _plan(self, done: int, seconds: float) -> None:
        """Say how long the run will take, from its first steps."""
        left = timedelta(seconds=round((self.steps - done) * seconds))
        self.progress.log(
            f"plan: {self.steps} steps of {self.settings.batch_size} in {self.settings.epochs} "
            f"epochs at {seconds:.2f} s each, about {left} from here and the validation of each "
            "epoch"
        )

    def _batches(self) -> Iterator[Batch]:
        share = {"epoch": self.epoch, "skip": self.batch}
        share |= {"rank": parallel.rank(), "world": parallel.world()}
        if self.rows is not None:
            return row_batches(self.rows, self.settings, **share)
        if self.states is not None:
            emotions = self.specification.emotions
            return state_batches(self.train, self.states, emotions, self.settings, **share)
        return training_batches(
            self.train,
            self.decoded,
            self.specification,
            self.settings,
            lessons=None if self.lessons is None else self.lessons.values,
            **share,
        )

    def _validate(self) -> dict[str, float]:
        """Return figures of the middle window of each clip: quick, for comparing epochs alone."""
        logits = self._validation_logits()
        labels = np.array([item.label for item in self.validation])
        if not np.isfinite(logits).all():
            raise DivergedError(
                f"after epoch {self.epoch + 1} the model answers with values that are not finite; "
                "lower the learning rate or train in fp32. Nothing was promoted."
            )
        chance = softmax(logits)
        loss = float(-np.log(chance[np.arange(len(labels)), labels] + 1e-12).mean())
        uar = middle_window_uar(logits, self.validation, self.specification.emotions)
        figures = {"middle_window_loss": loss, "middle_window_uar": uar}
        right = logits.argmax(axis=1) == labels
        for index, emotion in enumerate(self.specification.emotions):
            if (labels == index).any():
                figures[f"middle_window_recall/{emotion}"] = float(right[labels == index].mean())
        return figures

    def _validation_logits(self) -> FloatArray:
        judge, dtype = self.learner.evaluated, self.learner.dtype
        if self.validation_states is not None:
            return logits_of_states(judge, self.validation_states)
        if self.validation_rows is None:
            return middle_window_logits(
                judge, self.specification, self.validation, self.decoded, dtype
            )
        return row_logits(judge, self.validation_rows, dtype)

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
