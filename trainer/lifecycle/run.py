"""The verb without words: fine-tune the champion on what is new, and promote it if it's better."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from label_store.consensus import Consensus, consensus
from label_store.store import LabelStore
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.champion import champion_folder
from ser_core.corpora.clip import Clip
from ser_core.home import Home, HomeLike
from ser_core.inference.recognizer import Recognizer
from trainer.data import batches, corrections, labelled_clips
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings
from trainer.data.new_emotions import new_emotions
from trainer.data.prepare import Prepared, prepare
from trainer.errors import DataError
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.evaluate import Report, evaluate, headline
from trainer.evaluation.heads import head_predictions
from trainer.evaluation.predictions import Predictions
from trainer.lifecycle import versions
from trainer.lifecycle.gain import gain_in_folds
from trainer.lifecycle.progress import at_work
from trainer.lifecycle.promotion import Decision, Gain, decide
from trainer.lifecycle.rule import Rule
from trainer.reporting.card import model_card
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit
from trainer.training.widen import widen


@dataclass(frozen=True)
class Labels:
    """Which annotators count: ``trusted`` None = those that the Corpus tab's list trusts."""

    trusted: Collection[str] | None = None
    min_annotations: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a run came to: one sentence, the new version ("" without one) and the decision."""

    message: str
    version: str = ""
    decision: Decision | None = None


def test_clips(prepared: Prepared) -> list[Clip]:
    """Return the test clips.

    Raises:
        DataError: the test side is empty.
    """
    clips = [item.clip for item in prepared.sides["test"]]
    if not clips:
        raise DataError(
            "the test side of the split is empty, so nothing can be promoted; add a corpus with "
            "more speakers"
        )
    return clips


def thin(prepared: Prepared, most: int, seed: int) -> Prepared:
    """Keep at most ``most`` test clips (0 = all), the same ones whenever the seed is the same."""
    items = prepared.sides["test"]
    if not 0 < most < len(items):
        return prepared
    keep = np.sort(np.random.default_rng(seed).permutation(len(items))[:most])
    sides = dict(prepared.sides) | {"test": [items[index] for index in keep.tolist()]}
    return dataclasses.replace(prepared, sides=sides)


def run_once(
    home: HomeLike,
    default: Path,
    settings: Settings,
    *,
    rule: Rule | None = None,
    labels: Labels | None = None,
    min_new: int = 0,
    keep: int = 5,
    force: bool = False,
    clock: Callable[[], float] = time.time,
    progress: Callbacks | None = None,
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
    progress, labels, rule = progress or Callbacks(), labels or Labels(), rule or Rule()
    with at_work(home, "a training run", clock=clock) as file:
        progress = file.callbacks(progress)
        start = champion_folder(home, default)
        specification = checkpoint.load(start).specification
        # What the champion doesn't hear, its challenger doesn't learn from.
        trim = specification.trim_silence
        crops = tuple(min(length, specification.seconds) for length in settings.crop_seconds)
        settings = dataclasses.replace(
            settings, start=str(start), first_weights="", trim_silence=trim, crop_seconds=crops
        )
        store = LabelStore(Home(home).root)
        since = last_revision(home, specification.label_revision)
        new = corrections.new_labels(
            store, since, labels.trusted, labels.min_annotations, before=last_counted(home)
        )
        find = labelled_clips.finder(Path(settings.corpora), Home(home).decoded / "unpacked")
        new += corrections.arrived(last_waiting(home), find)
        if new < min_new and not force:
            file.change(message=f"{new} new labels of {min_new} needed: nothing trained")
            return Outcome(file.now.message)
        counted = corrections.Counted.of(store, labels.trusted, labels.min_annotations)
        found = consensus(store, counted.trusted, min_annotations=counted.min_annotations)
        require_readable(store, progress)
        start = _with_new_emotions(home, start, found, store, progress)
        specification = checkpoint.load(start).specification
        settings = dataclasses.replace(settings, start=str(start))
        joined = _joined(home, settings, store, found, specification.emotions, find, tick)
        joined = joined.with_left_out(corrections.uncounted(store, counted.trusted))
        progress.log(joined.sentence())
        data_hash = batches.data_hash(joined.prepared.sides)
        last = _last_run(home)
        if not force and last is not None and last.get("data_hash") == data_hash:
            file.change(message="nothing is new since the last run: nothing trained")
            return Outcome(file.now.message)
        asked = settings
        prepared, settings = corrections.replay(
            joined, settings, np.random.default_rng(settings.seed)
        )
        prepared = thin(prepared, 2 * settings.max_clips, settings.seed)
        clips = test_clips(prepared)
        version = versions.free_name(home, clock)
        folder = Home(home).models / version
        fit(
            settings,
            folder,
            Home(home).run("fine-tune"),
            Home(home).decoded,
            prepared=prepared,
            progress=progress,
            tick=tick,
            label_revision=str(found.revision),
            finish=lambda *_: {"test": {}},  # compared with the champion below
        )
        progress.phase("evaluating")
        decision = compare(
            home,
            start,
            folder,
            clips,
            settings=settings,
            rule=rule,
            notes=prepared.notes,
            predictions=_heads_on(start, folder, prepared) if settings.depth == "head" else None,
            gain=_gain(start, joined, asked) if settings.depth == "head" else None,
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
            waiting=[list(place) for place in joined.waiting],
        )
        if decision.promote:
            versions.promote(home, version, "; ".join(decision.reasons), clock=clock)
        gone = versions.prune(home, keep)
        if gone:
            progress.log(f"deleted old versions: {', '.join(gone)}")
        file.change(message=f"{version} {decision}. {joined.sentence()}")
        return Outcome(file.now.message, version, decision)


def _with_new_emotions(
    home: HomeLike, start: Path, found: Consensus, store: LabelStore, progress: Callbacks
) -> Path:
    """Return the champion, with an output for each emotion of which there are enough labels."""

    def session(clip: str) -> str:
        return labelled_clips.session_of(store, clip)

    missing = new_emotions(found.labels, checkpoint.load(start).specification.emotions, session)
    for one in missing:
        progress.log(str(one))
    added = [one.emotion for one in missing if one.enough]
    return widen(start, added, Home(home).widened) if added else start


def _heads_on(champion: Path, challenger: Path, prepared: Prepared) -> list[Predictions]:
    """Return what two heads of one model say of the test clips, from states that are kept."""
    items = prepared.sides["test"]
    held = [checkpoint.load(folder) for folder in (champion, challenger)]
    embeddings = Embeddings(held[0].model, held[0].specification, prepared.decoded)
    return [
        head_predictions(one.model, one.specification, one.calibration, embeddings, items)
        for one in held
    ]


def _gain(champion: Path, joined: corrections.Joined, settings: Settings) -> Gain | None:
    """Return what the new labels taught, by folds; None where there are too few to tell."""
    held = checkpoint.load(champion)
    embeddings = Embeddings(
        held.model, held.specification, joined.prepared.decoded, recipe=settings.augment
    )
    return gain_in_folds(held, joined, settings, embeddings)


def _joined(
    home: HomeLike,
    settings: Settings,
    store: LabelStore,
    found: Consensus,
    emotions: Sequence[str],
    find: Callable[[str, str], Path | None],
    tick: Callable[[int, int], None] | None,
) -> corrections.Joined:
    """Return the clips of the corpora and the labels, or of the labels alone without a corpus."""
    decoded = Home(home).decoded
    root = Path(settings.corpora)

    def session(clip: str) -> str:
        return labelled_clips.session_of(store, clip)

    if found.labels and not settings.names and not (root.is_dir() and any(root.iterdir())):
        clips = DecodedClips(decoded, trim=settings.trim_silence)
        return corrections.alone(found.labels, emotions, clips, settings, session=session)
    plain = prepare(settings, decoded, emotions=emotions, tick=tick)
    renamed = labelled_clips.renamed_rows(store, plain.problems)
    return corrections.join(
        plain,
        dataclasses.replace(found, without_file=(*found.without_file, *renamed)),
        weight=settings.correction_weight,
        session=session,
        find=find,
        speakers=labelled_clips.row_speakers(store, plain.problems),
    )


def require_readable(store: LabelStore, progress: Callbacks) -> None:
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


def compare(
    home: HomeLike,
    champion: Path,
    challenger: Path,
    clips: Sequence[Clip],
    *,
    settings: Settings,
    rule: Rule,
    notes: Sequence[str] = (),
    predictions: Sequence[Predictions] | None = None,
    gain: Gain | None = None,
) -> Decision:
    """Evaluate a challenger, write its figures and card beside its weights, and decide.

    Args:
        home: SER_HOME.
        champion, challenger: checkpoint folders.
        clips: of the test speakers.
        settings: of the fine-tune.
        rule: when the challenger is promoted.
        notes: what the split has to say for itself.
        predictions: of both for the clips, where they are known already.
        gain: on new labels.

    Raises:
        DataError: no clip is left to compare them on.
    """
    old, new = (Recognizer(folder, settings.device) for folder in (champion, challenger))
    emotions = tuple(dict.fromkeys([*old.emotions, *new.emotions]))
    predictions = predictions or [
        CachedInference(
            model,
            Home(home).report_cache,
            DecodedClips(Home(home).decoded, model.specification.sample_rate),
            settings.precision,
        ).clips(clips, emotions=emotions)
        for model in (old, new)
    ]
    decision = decide(
        predictions[0].outcomes,
        predictions[1].outcomes,
        rng=np.random.default_rng(settings.seed),
        rule=rule,
        gain=gain,
    )
    limit = new.calibration.entropy_limit
    found = evaluate(predictions[1], seed=settings.seed, entropy_limit=limit)
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
    metrics["test_hash"] = hash_of_keys(predictions[1].outcomes.key)
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


def hash_of_keys(keys: Sequence[str]) -> str:
    """Return a hash of the test clips, by which figures of the same clips are known."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def last_revision(home: HomeLike, fallback: str) -> int:
    """Return the label event number that the last run knew, or the champion's own."""
    last = _last_run(home)
    if last is not None:
        return int(last["label_revision"])
    return int(fallback) if fallback.isdigit() else 0


def last_counted(home: HomeLike) -> corrections.Counted | None:
    """Return whose labels counted in the last run; None without a run that wrote it down."""
    last = _last_run(home)
    return None if last is None else corrections.Counted.from_json(last.get("counted"))


def last_waiting(home: HomeLike) -> list[list[str]]:
    """Return corpus and file name of the labels that had no file in the last run."""
    last = _last_run(home)
    return [] if last is None else [[str(part) for part in one] for one in last.get("waiting", [])]


def _last_run(home: HomeLike) -> dict[str, Any] | None:
    runs = [row for row in versions.history(home) if row.get("action") == "run"]
    return runs[-1] if runs else None
