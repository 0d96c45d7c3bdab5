"""Many models trained alike, one row of a table each; a study that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.recognizer import Recognizer
from trainer import metrics
from trainer.budget import Pace, measure_pace, within
from trainer.decoded import DecodedClips
from trainer.fit import fit
from trainer.loop import Progress
from trainer.observe import Observed
from trainer.parts import Listening
from trainer.prepare import Prepared, clips_key, prepare
from trainer.records import decode, encode
from trainer.report import write_text
from trainer.settings import Settings
from trainer.tables import Table

Ticker = Callable[[int, int], None]


@dataclass(frozen=True)
class Entry:
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
        """Name of the row's folder: the same entry goes on where it was stopped."""
        words = json.dumps([self.settings.identity(), self.minutes], sort_keys=True)
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.casefold()).strip("-")
        return f"{slug}-{hashlib.sha256(words.encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class Row:
    """What came of an entry.

    Attributes:
        name: of the entry.
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
    """Trains entries one after the other.

    Args:
        folder: of the study; each entry has a folder in it.
        cache: of decoded clips.
        memory: of what models heard.
        log: takes a line.
        step: takes steps done, steps in all and the loss.
        tick: takes clips decoded and clips in all.
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
    ) -> None:
        self.folder, self.cache, self.memory = folder, cache, memory
        self.log, self.step, self.tick = log, step, tick
        self._prepared: dict[str, Prepared] = {}

    def row(self, entry: Entry, *, test: bool = False) -> Row:
        """Train an entry, or read what came of it before.

        Args:
            entry: what to train.
            test: open the test speakers too; asked of a row that is there already, they are heard
                then.

        Raises:
            InterruptedRunError: a signal came; the same call goes on from there.
        """
        folder = self.folder / entry.key
        path = folder / "row.json"
        if path.is_file():
            held = decode(Row, json.loads(path.read_text(encoding="utf-8")), str(path))
            if held.test or not test:
                return held
        self.log(f"{entry.name}: {folder.name}")
        prepared = self._prepare(entry.settings)
        settings = self._planned(entry, prepared, folder)
        if not (folder / "model" / "specification.json").is_file():
            fit(
                settings,
                folder / "model",
                folder,
                self.cache,
                prepared=prepared,
                progress=self._progress(),
                finish=lambda *_: {"test": {}},  # the test speakers stay shut until asked for
            )
        model = Recognizer(folder / "model", settings.device)
        history = model.metrics["history"]
        validation = self._heard(model, settings, prepared, "validation")
        found = Row(
            name=entry.name,
            scheme=settings.scheme,
            parameters=sum(p.numel() for p in model.model.parameters() if p.requires_grad),
            clips_seen=_clips_seen(settings, prepared, len(history)),
            minutes=_minutes(settings, prepared, history),
            validation=uar_by_corpus(validation),
            test=uar_by_corpus(self._heard(model, settings, prepared, "test")) if test else {},
        )
        write_text(path, json.dumps(encode(found), indent=2) + "\n")
        return found

    def _prepare(self, settings: Settings) -> Prepared:
        key = clips_key(settings)
        if key not in self._prepared:
            self._prepared[key] = prepare(settings, self.cache, tick=self.tick)
        return self._prepared[key]

    def _planned(self, entry: Entry, prepared: Prepared, folder: Path) -> Settings:
        """Return the settings with the length that the budget allows, measured once."""
        if not entry.minutes:
            return entry.settings
        path = folder / "pace.json"
        if path.is_file():
            pace = decode(Pace, json.loads(path.read_text(encoding="utf-8")), str(path))
        else:
            pace = measure_pace(entry.settings, prepared)
            write_text(path, json.dumps(encode(pace)) + "\n")
        planned = within(entry.settings, pace, entry.minutes)
        self.log(
            f"{entry.name}: {pace.clips_per_second:.1f} clips/s, so {planned.epochs} epochs of "
            f"{planned.epoch_clips} clips in {entry.minutes:g} min"
        )
        return planned

    def _heard(
        self, model: Recognizer, settings: Settings, prepared: Prepared, side: str
    ) -> Observed:
        listening = Listening(
            model,
            self.memory,
            DecodedClips(self.cache, model.specification.sample_rate),
            settings.precision,
            log=self.log,
        )
        return listening.clips([item.clip for item in prepared.sides[side]])

    def _progress(self) -> Progress:
        progress = Progress(self.log)
        if self.step is not None:
            progress.step = self.step
        return progress


def uar_by_corpus(observed: Observed) -> dict[str, float]:
    """Return the UAR of each corpus, restricted to its emotions."""
    outcomes = observed.outcomes
    said = metrics.restricted(outcomes, metrics.corpus_emotions(outcomes))
    corpus = np.array(outcomes.corpus)
    return {
        name: metrics.scores(outcomes.select(corpus == name), said[corpus == name]).uar
        for name in sorted(set(outcomes.corpus))
    }


def _clips_seen(settings: Settings, prepared: Prepared, epochs: int) -> int:
    return epochs * (settings.epoch_clips or len(prepared.sides["train"]))


def _minutes(
    settings: Settings, prepared: Prepared, history: Sequence[Mapping[str, float]]
) -> float:
    size = settings.epoch_clips or len(prepared.sides["train"])
    return sum(size / max(row["clips_per_second"], 1e-9) for row in history) / 60


def mean(values: Mapping[str, float]) -> float:
    """Return the mean over corpora, NaN of none."""
    return float(np.mean(list(values.values()))) if values else float("nan")


def table(title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> Table:
    """Return rows side by side: how much each saw, and its UAR by corpus, in the order given."""
    heard = sorted({name for row in rows for name in row.validation})
    tested = sorted({name for row in rows for name in row.test})
    columns = ["model", "split", "parameters", "clips seen", "minutes", "validation UAR"]
    columns += heard
    if tested:
        columns += ["test UAR", *(f"test {name}" for name in tested)]

    def cells(row: Row) -> tuple[str, ...]:
        held = [row.name, row.scheme, f"{row.parameters / 1e6:.2f} M", str(row.clips_seen)]
        held += [f"{row.minutes:.1f}", _shown(mean(row.validation))]
        held += [_shown(row.validation.get(name)) for name in heard]
        if tested:
            held += [_shown(mean(row.test)), *(_shown(row.test.get(name)) for name in tested)]
        return tuple(held)

    return Table(title, tuple(columns), tuple(cells(row) for row in rows), tuple(notes))


def _shown(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"
