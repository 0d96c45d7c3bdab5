"""Many models trained alike, one row of a table each; a study that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.files import write_text
from ser_core.inference.recognizer import Recognizer
from trainer.data.decoded import DecodedClips
from trainer.data.prepare import Prepared, clips_key, prepare
from trainer.evaluation import metrics
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.predictions import Predictions
from trainer.reporting.records import decode, encode
from trainer.reporting.tables import ReportTable
from trainer.settings import Settings
from trainer.training.budget import Pace, measure_pace, within
from trainer.training.callbacks import Callbacks, untracked
from trainer.training.fit import fit

Ticker = Callable[[int, int], None]


@dataclass(frozen=True)
class Variant:
    """What a row is about.

    Attributes:
        name: what the row is called.
        settings: of its training.
        minutes: budget on this machine; 0 leaves the length to the settings.
    """

    name: str
    settings: Settings
    minutes: float = 0.0

    @property
    def key(self) -> str:
        """Name of the row's folder: the same variant goes on where it was stopped."""
        words = json.dumps([self.settings.identity(), self.minutes], sort_keys=True)
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.casefold()).strip("-")
        return f"{slug}-{hashlib.sha256(words.encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class Row:
    """What came of a variant.

    Attributes:
        name: of the variant.
        scheme: how the speakers were divided.
        parameters: weights that learn.
        clips_seen: clips shown in training, repetitions counted.
        minutes: of training and judging.
        validation, test: corpus -> UAR (restricted to its emotions); test is empty unless asked.
    """

    name: str
    scheme: str
    parameters: int
    clips_seen: int
    minutes: float
    validation: dict[str, float]
    test: dict[str, float]


class Study:
    """Trains variants one after the other.

    Args:
        folder: of the study; each variant has a folder in it.
        cache: of decoded clips.
        memory: of what models predicted.
        log: takes a line.
        step: takes steps done, steps in all and the loss.
        tick: takes clips decoded and clips in all.
        tracked: takes the name of a variant's run and whom it tells; may track it besides.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path,
        memory: Path,
        *,
        log: Callable[[str], None] = print,
        step: Callable[[int, int, float], None] | None = None,
        tick: Ticker | None = None,
        tracked: Callable[[str, Callbacks], AbstractContextManager[Callbacks]] = untracked,
    ) -> None:
        self.folder, self.cache, self.memory = folder, cache, memory
        self.log, self.step, self.tick, self.tracked = log, step, tick, tracked
        self._prepared: dict[str, Prepared] = {}

    def row(self, variant: Variant, *, test: bool = False) -> Row:
        """Train a variant, or read what came of it before.

        Args:
            variant: what to train.
            test: open the test speakers too; asked of a row that is there already, they are
                predicted then.

        Raises:
            InterruptedRunError: a signal came; the same call goes on from there.
        """
        folder = self.folder / variant.key
        path = folder / "row.json"
        if path.is_file():
            held = decode(Row, json.loads(path.read_text(encoding="utf-8")), str(path))
            if held.test or not test:
                return held
        self.log(f"{variant.name}: {folder.name}")
        prepared = self._prepare(variant.settings)
        settings = self._planned(variant, prepared, folder)
        if not (folder / "model" / "specification.json").is_file():
            with self.tracked(folder.name, self._progress()) as progress:
                fit(
                    settings,
                    folder / "model",
                    folder,
                    self.cache,
                    prepared=prepared,
                    progress=progress,
                    finish=lambda *_: {"test": {}},  # the test speakers stay shut until asked for
                )
        model = Recognizer(folder / "model", settings.device)
        history = model.metrics["history"]
        validation = self._predict(model, settings, prepared, "validation")
        found = Row(
            name=variant.name,
            scheme=settings.scheme,
            parameters=sum(p.numel() for p in model.model.parameters() if p.requires_grad),
            clips_seen=_clips_seen(settings, prepared, len(history)),
            minutes=_minutes(settings, prepared, history),
            validation=metrics.uar_by_corpus(validation.outcomes),
            test=(
                metrics.uar_by_corpus(self._predict(model, settings, prepared, "test").outcomes)
                if test
                else {}
            ),
        )
        write_text(path, json.dumps(encode(found), indent=2) + "\n")
        return found

    def _prepare(self, settings: Settings) -> Prepared:
        key = clips_key(settings)
        if key not in self._prepared:
            self._prepared[key] = prepare(settings, self.cache, tick=self.tick)
        return self._prepared[key]

    def _planned(self, variant: Variant, prepared: Prepared, folder: Path) -> Settings:
        """Return the settings with the length that the budget allows, measured once."""
        if not variant.minutes:
            return variant.settings
        path = folder / "pace.json"
        if path.is_file():
            pace = decode(Pace, json.loads(path.read_text(encoding="utf-8")), str(path))
        else:
            pace = measure_pace(variant.settings, prepared)
            write_text(path, json.dumps(encode(pace)) + "\n")
        planned = within(variant.settings, pace, variant.minutes)
        self.log(
            f"{variant.name}: {pace.clips_per_second:.1f} clips/s, so {planned.epochs} epochs of "
            f"{planned.epoch_clips} clips in {variant.minutes:g} min"
        )
        return planned

    def _predict(
        self, model: Recognizer, settings: Settings, prepared: Prepared, side: str
    ) -> Predictions:
        inference = CachedInference(
            model,
            self.memory,
            DecodedClips(self.cache, model.specification.sample_rate),
            settings.precision,
            log=self.log,
        )
        return inference.clips([item.clip for item in prepared.sides[side]])

    def _progress(self) -> Callbacks:
        progress = Callbacks(self.log)
        if self.step is not None:
            progress.step = self.step
        return progress


def _clips_seen(settings: Settings, prepared: Prepared, epochs: int) -> int:
    return epochs * (settings.epoch_clips or len(prepared.sides["train"]))


def _minutes(
    settings: Settings, prepared: Prepared, history: Sequence[Mapping[str, float]]
) -> float:
    size = settings.epoch_clips or len(prepared.sides["train"])
    return sum(size / max(row["clips_per_second"], 1e-9) for row in history) / 60


def table(title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> ReportTable:
    """Return rows side by side: how much each saw, and its UAR by corpus, in the order given."""
    corpora = sorted({name for row in rows for name in row.validation})
    tested = sorted({name for row in rows for name in row.test})
    columns = ["model", "split", "parameters", "clips seen", "minutes", "validation UAR"]
    columns += corpora
    if tested:
        columns += ["test UAR", *(f"test {name}" for name in tested)]

    def cells(row: Row) -> tuple[str, ...]:
        held = [row.name, row.scheme, f"{row.parameters / 1e6:.2f} M", str(row.clips_seen)]
        held += [f"{row.minutes:.1f}", _shown(metrics.mean_over_corpora(row.validation))]
        held += [_shown(row.validation.get(name)) for name in corpora]
        if tested:
            held += [
                _shown(metrics.mean_over_corpora(row.test)),
                *(_shown(row.test.get(name)) for name in tested),
            ]
        return tuple(held)

    return ReportTable(title, tuple(columns), tuple(cells(row) for row in rows), tuple(notes))


def _shown(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"
