"""The verb without words: fine-tune the champion on what is new, and promote it if it's better."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from label_store.consensus import consensus
from label_store.store import LabelStore
from ser_core import checkpoint
from ser_core.champion import champion_folder, models_folder
from ser_core.corpora.clip import Clip
from ser_core.recognizer import Recognizer
from trainer import corrections, data, versions
from trainer.card import model_card
from trainer.errors import DataError
from trainer.evaluation import Report, evaluate, headline
from trainer.fit import fit
from trainer.lock import only_one
from trainer.loop import Progress
from trainer.observe import Loader, Samples, observe
from trainer.prepare import Prepared, prepare
from trainer.promotion import Decision, Rule, decide
from trainer.settings import Settings

FINE_TUNE: dict[str, Any] = {
    "epochs": 4,
    "optimizer": "adamw",
    "learning_rate": 5e-5,
    "weight_decay": 0.05,
    "batch_size": 32,
    "mixup": 0.2,
    "average": 0.99,
    "keep_statistics": True,
    "blend": True,
    "augment": "train",
    "feature_augment": (
        {"name": "frequency_mask", "width": [0, 0.15], "p": 0.8},
        {"name": "time_mask", "width": [0, 0.15], "p": 0.8},
    ),
    "crop_seconds": (1.25, 2.5),
    "short_clips": "repeat",
}
"""Settings of a fine-tune, over the defaults; a TOML file and flags go over them."""


@dataclass(frozen=True)
class Labels:
    """Which annotators count: ``trusted`` None = those that the Corpus tab's list trusts."""

    trusted: Collection[str] | None = None
    min_votes: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a run came to: one sentence, the new version ("" without one) and the decision."""

    message: str
    version: str = ""
    decision: Decision | None = None


def cache_folder(home: Path) -> Path:
    """Return the folder of decoded clips."""
    return home / "cache" / "decoded"


def test_clips(prepared: Prepared) -> tuple[list[Clip], Loader]:
    """Return the test clips and what loads them from the decoded cache.

    They keep their silent ends: a model that leaves those out does so itself, as at the page.

    Raises:
        DataError: the test side is empty.
    """
    items = prepared.sides["test"]
    if not items:
        raise DataError(
            "the test side of the split is empty, so nothing can be promoted; add a corpus with "
            "more speakers"
        )
    clips = [item.clip for item in items]
    digests = {item.clip.path: item.digest for item in items}
    decoded = prepared.decoded.whole()
    if decoded is not prepared.decoded:
        decoded.prepare(clips)

    def load(clip: Clip) -> Samples:
        return decoded.samples(digests[clip.path])

    return clips, load


def thin(prepared: Prepared, most: int, seed: int) -> Prepared:
    """Keep at most ``most`` test clips (0 = all), the same ones whenever the seed is the same."""
    items = prepared.sides["test"]
    if not 0 < most < len(items):
        return prepared
    keep = np.sort(np.random.default_rng(seed).permutation(len(items))[:most])
    sides = dict(prepared.sides) | {"test": [items[index] for index in keep.tolist()]}
    return dataclasses.replace(prepared, sides=sides)


def run_once(
    home: Path,
    default: Path,
    settings: Settings,
    *,
    rule: Rule | None = None,
    labels: Labels | None = None,
    min_new: int = 0,
    keep: int = 5,
    force: bool = False,
    clock: Callable[[], float] = time.time,
    progress: Progress | None = None,
    tick: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Fine-tune the champion with replay, evaluate on the test speakers, promote or say why not.

    Args:
        home: SER_HOME.
        default: the shipped checkpoint, champion while none was promoted.
        settings: of the fine-tune; ``start`` is set here.
        rule: when the challenger is promoted.
        labels: whose labels count.
        min_new: fewer new labels than this, and nothing is trained.
        keep: versions to keep.
        force: train even if nothing is new.
        clock: seconds since 1970.
        progress, tick: who is told.

    Raises:
        TrainerError, SerError, StoreError: one sentence; the champion is untouched.
    """
    progress, labels, rule = progress or Progress(), labels or Labels(), rule or Rule()
    with only_one(home, "a training run", clock=clock):
        start = champion_folder(home, default)
        specification = checkpoint.load(start).specification
        # What the champion doesn't hear, its challenger doesn't learn from.
        trim = specification.trim_silence
        crops = tuple(min(length, specification.seconds) for length in settings.crop_seconds)
        settings = dataclasses.replace(
            settings, start=str(start), first_weights="", trim_silence=trim, crop_seconds=crops
        )
        store = LabelStore(home)
        since = last_revision(home, specification.label_revision)
        new = corrections.new_labels(
            store, since, labels.trusted, labels.min_votes, before=last_counted(home)
        )
        if new < min_new and not force:
            return Outcome(f"{new} new labels of {min_new} wanted: nothing trained")
        plain = prepare(settings, cache_folder(home), emotions=specification.emotions, tick=tick)
        counted = corrections.Counted.of(store, labels.trusted, labels.min_votes)
        found = consensus(store, counted.trusted, min_votes=counted.min_votes)
        require_readable(store, progress)
        joined = corrections.join(
            plain,
            found.labels,
            weight=settings.correction_weight,
            session=lambda clip: corrections.session_of(store, clip),
        )
        progress.log(joined.sentence())
        data_hash = data.data_hash(joined.prepared.sides)
        last = _last_run(home)
        if not force and last is not None and last.get("data_hash") == data_hash:
            return Outcome("nothing is new since the last run: nothing trained")
        prepared, settings = corrections.replay(
            joined, settings, np.random.default_rng(settings.seed)
        )
        prepared = thin(prepared, 2 * settings.max_clips, settings.seed)
        clips, load = test_clips(prepared)
        version = versions.free_name(home, clock)
        folder = models_folder(home) / version
        fit(
            settings,
            folder,
            models_folder(home) / "runs" / "fine-tune",
            cache_folder(home),
            prepared=prepared,
            progress=progress,
            tick=tick,
            label_revision=str(found.revision),
        )
        decision = judge(
            start, folder, clips, load, settings=settings, rule=rule, notes=prepared.notes
        )
        versions.record(
            home,
            "run",
            clock=clock,
            version=version,
            parent=specification.version,
            data_hash=data_hash,
            label_revision=found.revision,
            counted=counted.to_json(),
            promoted=decision.promote,
            reasons=list(decision.reasons),
            figures=decision.figures,
            settings=settings.to_json() | {"corpora": Path(settings.corpora).name},
            corrections=joined.sentence(),
        )
        if decision.promote:
            versions.promote(home, version, "; ".join(decision.reasons), clock=clock)
        gone = versions.prune(home, keep)
        if gone:
            progress.log(f"deleted old versions: {', '.join(gone)}")
        return Outcome(f"{version} {decision}", version, decision)


def require_readable(store: LabelStore, progress: Progress) -> None:
    """Tell of damaged rows, and refuse to learn while a whole file of labels can't be read.

    Raises:
        DataError: a file was written by another version; its labels would silently not count.
    """
    for found in store.reports:
        if found.kind == "damaged-file":
            raise DataError(
                f"the label file {found.file} {found.reason}: it is of another version; bring it "
                "up to date or move it out of labels/. Nothing was trained."
            )
        progress.log(f"labels: {found.file}: {found.reason}")


def judge(
    champion: Path,
    challenger: Path,
    clips: Sequence[Clip],
    load: Loader,
    *,
    settings: Settings,
    rule: Rule,
    notes: Sequence[str] = (),
) -> Decision:
    """Evaluate a challenger, write its figures and card beside its weights, and decide."""
    old, new = (Recognizer(folder, settings.device) for folder in (champion, challenger))
    emotions = tuple(dict.fromkeys([*old.emotions, *new.emotions]))
    heard = [observe(model, clips, emotions=emotions, load=load) for model in (old, new)]
    decision = decide(
        heard[0].outcomes,
        heard[1].outcomes,
        rng=np.random.default_rng(settings.seed),
        rule=rule,
    )
    found = evaluate(heard[1], seed=settings.seed, entropy_limit=new.calibration.entropy_limit)
    specification = new.specification
    report = Report(
        model=new.name,
        version=new.version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        evaluation=found,
        notes=(*notes, f"against {old.name} {old.version}: {decision}"),
        provenance={
            "parent": specification.parent,
            "seed": str(specification.seed),
            "data_hash": specification.data_hash,
            "label_revision": specification.label_revision,
            **specification.versions,
        },
    )
    held = checkpoint.load(challenger)
    metrics = held.metrics | headline(report)
    card = model_card(report, specification)
    checkpoint.save(
        challenger,
        held.model,
        held.specification,
        held.calibration,
        metrics,
        card,
        half=settings.half_weights,
    )
    return decision


def last_revision(home: Path, fallback: str) -> int:
    """Return the label event number that the last run knew, or the champion's own."""
    last = _last_run(home)
    if last is not None:
        return int(last["label_revision"])
    return int(fallback) if fallback.isdigit() else 0


def last_counted(home: Path) -> corrections.Counted | None:
    """Return whose labels counted in the last run; None without a run that wrote it down."""
    last = _last_run(home)
    return None if last is None else corrections.Counted.from_json(last.get("counted"))


def _last_run(home: Path) -> dict[str, Any] | None:
    runs = [row for row in versions.history(home) if row.get("action") == "run"]
    return runs[-1] if runs else None
