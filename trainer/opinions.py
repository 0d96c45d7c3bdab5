"""Opinions out of sample: each clip is judged by a model that never heard its speaker.

The speakers are divided into folds; for each fold a model learns from the others. A label that such
a model contradicts may be wrong (confident learning, arXiv 1911.00068), which can't be said by a
model that was trained on the label.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from label_store.clips import write_whole
from label_store.consensus import ConsensusLabel, consensus
from label_store.fold_opinions import FILE, Fold, FoldOpinions, Said, write_opinions
from label_store.people import who_counts
from label_store.scores import label_issues
from label_store.store import LabelStore
from ser_core.calibration import Calibration
from ser_core.corpora.clip import Clip
from ser_core.emotions import EMOTIONS
from ser_core.model import Model
from ser_core.specification import Specification
from ser_core.splits import Splits, split
from trainer import corrections, data
from trainer.data import Example
from trainer.decoded import DecodedClips
from trainer.errors import DataError, SettingsError
from trainer.fit import fit
from trainer.lock import only_one
from trainer.loop import Progress
from trainer.measure import clip_logits, mean_uar
from trainer.prepare import Prepared, Ticker, examples_by_side, read_corpora
from trainer.run import cache_folder, require_readable
from trainer.settings import Settings

FORMAT = "1"
"""Part of every key: another way of judging means another word."""


@dataclass(frozen=True)
class Judged:
    """What a run came to.

    Attributes:
        path: the file with all opinions.
        opinions: what is in it.
        errors: labels that cleanlab takes for errors.
        unjudged: usable clips without an opinion.
    """

    path: Path
    opinions: FoldOpinions
    errors: int
    unjudged: int

    def sentence(self) -> str:
        """Return what was found, for a person."""
        figures = ", ".join(f"{fold.uar:.3f}" for fold in self.opinions.folds)
        total = len(self.opinions.clips)
        rest = f" {self.unjudged} clips have no opinion." if self.unjudged else ""
        return (
            f"{total} clips were judged by {len(self.opinions.folds)} models that never heard "
            f"their speakers (UAR of the folds {figures}).{rest}\n"
            f"cleanlab takes {self.errors} of {total} labels for errors. {self.path} has the "
            "opinions."
        )


def run_opinions(
    home: Path,
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    progress: Progress | None = None,
    tick: Ticker | None = None,
) -> Judged:
    """Train a model for each speaker fold and let each judge the speakers that it never heard.

    A run that was stopped goes on with the fold it was at, as long as clips, labels and settings
    are the same.

    Args:
        home: SER_HOME; the opinions go there.
        settings: of each model; ``folds`` says how many, scheme and fold are set here.
        clock: seconds since 1970.
        progress, tick: who is told.

    Raises:
        TrainerError, SerError, StoreError: one sentence; the former opinions still stand.
    """
    progress = progress or Progress()
    if settings.start:
        raise SettingsError(
            "start means nothing to opinions: a model that is fine-tuned may have heard every "
            "speaker before; leave it out"
        )
    settings = dataclasses.replace(settings, scheme="kfold", fold=0, held_out="")
    with only_one(home, "opinions", clock=clock):
        store = LabelStore(home)
        found = consensus(store, who_counts(store.folder))
        require_readable(store, progress)
        sides, decoded, classes, usable = _folds(
            home, settings, store, found.labels, progress, tick
        )
        data_hash = data.data_hash(
            {
                f"{fold} {side}": items
                for fold, one in enumerate(sides)
                for side, items in one.items()
            }
        )
        words = json.dumps([FORMAT, settings.identity(), classes, data_hash], sort_keys=True)
        root = home / "cache" / "opinions"
        folder = root / hashlib.sha256(words.encode()).hexdigest()[:12]
        parts = []
        for fold, one in enumerate(sides):
            progress.log(f"speaker fold {fold + 1} of {len(sides)}")
            prepared = Prepared(classes, one, decoded)
            ours = dataclasses.replace(settings, fold=fold)
            parts.append(_fold(folder, home, ours, prepared, progress))
        opinions = FoldOpinions(
            _gathered([part["clips"] for part in parts], classes),
            tuple(Fold(**part["fold"]) for part in parts),
            datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds"),
            data_hash,
            found.revision,
            settings.to_json() | {"corpora": Path(settings.corpora).name},
        )
        write_opinions(home / FILE, opinions)
        for old in root.iterdir():
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)  # a cache of other clips or labels
    labels = {item.digest: item.clip.emotion for one in sides for item in one["test"]}
    return Judged(
        home / FILE,
        opinions,
        _errors(opinions, labels, classes),
        len(usable - opinions.clips.keys()),
    )


def _folds(
    home: Path,
    settings: Settings,
    store: LabelStore,
    labels: Sequence[ConsensusLabel],
    progress: Progress,
    tick: Ticker | None,
) -> tuple[list[dict[str, list[Example]]], DecodedClips, tuple[str, ...], set[str]]:
    """Return the sides of each fold, the decoded clips, the classes and all usable clips."""
    clips, _ = read_corpora(settings)
    decoded = DecodedClips(cache_folder(home), trim=settings.trim_silence)
    digests, broken = decoded.prepare(clips, tick)
    wanted = set(settings.emotions) or {clip.emotion for clip in clips if clip.path in digests}
    corrected = {
        label.clip_hash: label
        for label in labels
        if label.start is None and label.emotion in wanted
    }
    known = set(digests.values())
    fresh = [
        corrections.clip_of(label, lambda clip: corrections.session_of(store, clip))
        for sha, label in corrected.items()
        if sha not in known
    ]
    more, lost = decoded.prepare(fresh)
    digests |= more
    if broken or lost:
        progress.log(f"left out: {len(broken) + len(lost)} clips that can't be decoded")
    all_clips = [
        _corrected(clip, corrected.get(digests[clip.path]))
        for clip in (*clips, *fresh)
        if clip.path in digests
    ]
    splits = [
        split(
            all_clips,
            "kfold",
            seed=settings.seed,
            fold=fold,
            folds=settings.folds,
            fingerprints=digests,
        )
        for fold in range(settings.folds)
    ]
    classes = _classes(splits, wanted, progress)
    sides = [
        {
            side: items if side == "test" else _taught(items, corrected, classes, settings, side)
            for side, items in examples_by_side(settings, parts, digests, classes).items()
        }
        for parts in splits
    ]
    return sides, decoded, classes, {digests[clip.path] for clip in all_clips}


def _corrected(clip: Clip, label: ConsensusLabel | None) -> Clip:
    return clip if label is None else dataclasses.replace(clip, emotion=label.emotion, votes={})


def _classes(splits: Sequence[Splits], wanted: set[str], progress: Progress) -> tuple[str, ...]:
    """Return the emotions that every fold's model can learn: two training clips at the least."""
    counts = [Counter(clip.emotion for clip in parts.train) for parts in splits]
    classes = tuple(
        emotion
        for emotion in EMOTIONS
        if emotion in wanted and all(count[emotion] >= 2 for count in counts)
    )
    rare = sorted(wanted - set(classes))
    if rare:
        progress.log(f"left out, too few speakers: {', '.join(rare)}")
    if len(classes) < 2:
        raise DataError(
            "fewer than two emotions have clips in every fold; add speakers, or ask for fewer "
            "folds with --folds"
        )
    return classes


def _taught(
    items: Sequence[Example],
    corrected: Mapping[str, ConsensusLabel],
    classes: Sequence[str],
    settings: Settings,
    side: str,
) -> list[Example]:
    """Lay the annotators' votes over the targets, as a fine-tune does."""
    place = {emotion: index for index, emotion in enumerate(classes)}
    taught = []
    for item in items:
        label = corrected.get(item.digest)
        target = corrections.target_of(label.distribution, place) if label else None
        if target is not None:
            weight = settings.correction_weight if side == "train" else 1.0
            item = dataclasses.replace(item, target=target, weight=weight)
        taught.append(item)
    return taught


def _fold(
    folder: Path, home: Path, settings: Settings, prepared: Prepared, progress: Progress
) -> dict[str, Any]:
    """Return what one fold's model says; trained only where it is not known yet."""
    part = folder / f"fold-{settings.fold}.json"
    if part.is_file():
        found: dict[str, Any] = json.loads(part.read_text(encoding="utf-8"))
        return found
    model_name = f"{folder.name}-fold-{settings.fold}"

    def judge(
        model: Model, specification: Specification, fitted: Calibration, held: Prepared
    ) -> Mapping[str, Any]:
        items = held.sides["test"]
        logits = clip_logits(model, specification, items, held.decoded)
        rows = fitted.probabilities(logits)
        uar = mean_uar(logits, items)
        people = {item.clip.person for item in items}
        said = {
            "fold": dataclasses.asdict(Fold(model_name, uar, len(items), len(people))),
            "clips": {item.digest: row.tolist() for item, row in zip(items, rows, strict=True)},
        }
        write_whole(part, json.dumps(said).encode())
        return {"test": {}}

    checkpoint = folder / model_name
    fit(
        settings,
        checkpoint,
        folder / f"run-{settings.fold}",
        cache_folder(home),
        prepared=prepared,
        progress=progress,
        finish=judge,
    )
    shutil.rmtree(checkpoint)  # what it said is kept; the model itself serves nobody
    made: dict[str, Any] = json.loads(part.read_text(encoding="utf-8"))
    return made


def _gathered(
    parts: Sequence[Mapping[str, Sequence[float]]], classes: Sequence[str]
) -> dict[str, Said]:
    """Join the folds; a clip that two people claim has no opinion, for one model heard either."""
    times = Counter(clip for part in parts for clip in part)
    return {
        clip: Said(dict(zip(classes, row, strict=True)), fold)
        for fold, part in enumerate(parts)
        for clip, row in part.items()
        if times[clip] == 1
    }


def _errors(opinions: FoldOpinions, labels: Mapping[str, str], classes: Sequence[str]) -> int:
    judged = sorted(opinions.clips)
    if not judged:
        return 0
    table = [[opinions.clips[clip].probabilities[name] for name in classes] for clip in judged]
    return int(label_issues([labels[clip] for clip in judged], table, classes).sum())
