"""One training run from settings to a checkpoint: read, split, train, calibrate, measure, save."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ser_core import calibration, checkpoint
from ser_core.corpora import read_all
from ser_core.corpora.clip import Clip, Problem
from ser_core.device import choose_device
from ser_core.emotions import EMOTIONS
from ser_core.frontends.base import FeatureMap
from ser_core.model import Model, build
from ser_core.normalise import fit_corpus
from ser_core.specification import Specification
from ser_core.splits import Splits, split
from trainer import data, parallel
from trainer.data import Example
from trainer.decoded import DecodedClips
from trainer.errors import DataError, SettingsError
from trainer.loop import STATE, Loop, Progress, autocast_dtype, clip_logits
from trainer.metrics import Outcomes
from trainer.settings import Settings

Ticker = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """Clips, decoded and divided.

    Attributes:
        emotions: the classes.
        sides: examples by side: train, validation, test.
        decoded: where the samples are.
        problems: what was left out, with reasons.
        notes: what the split has to say for itself.
    """

    emotions: tuple[str, ...]
    sides: dict[str, list[Example]]
    decoded: DecodedClips
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trained:
    """What a run left behind."""

    folder: Path
    specification: Specification
    history: list[dict[str, float]]
    prepared: Prepared
    figures: dict[str, Any] = field(default_factory=dict)


def read_corpora(settings: Settings) -> tuple[list[Clip], list[Problem]]:
    """Read every corpus that the settings name.

    Raises:
        DataError: the folder is missing, a named corpus is not there, or no clip was found.
    """
    root = Path(settings.corpora)
    if not root.is_dir():
        raise DataError(
            f"there is no folder of corpora at {root}; give one with --corpora, or fetch a corpus "
            "with `python -m trainer download`"
        )
    missing = [name for name in settings.names if not (root / name).exists()]
    if missing:
        raise DataError(f"{root} has no corpus {', '.join(missing)}")
    readings = read_all(root, settings.names or None)
    clips = [clip for reading in readings for clip in reading.clips]
    problems = [problem for reading in readings for problem in reading.problems]
    if not clips:
        raise DataError(f"no labelled clip was found in {root}")
    return clips, problems


def prepare(
    settings: Settings,
    cache: Path,
    *,
    clips: Sequence[Clip] | None = None,
    emotions: Sequence[str] = (),
    tick: Ticker | None = None,
) -> Prepared:
    """Read, decode and divide the clips of a run.

    Args:
        settings: of the run.
        cache: folder of decoded clips.
        clips: use these instead of reading ``settings.corpora``.
        emotions: the model's classes where they are fixed already (a fine-tune).
        tick: called with clips decoded and clips in all.
    """
    problems: list[Problem] = []
    if clips is None:
        clips, problems = read_corpora(settings)
    decoded = DecodedClips(cache, trim=settings.trim_silence)
    digests, broken = decoded.prepare(clips, tick)
    usable = [clip for clip in clips if clip.path in digests]
    parts = split(
        usable,
        settings.scheme,
        seed=settings.seed,
        fold=settings.fold,
        folds=settings.folds,
        held_out=settings.held_out,
        fingerprints=digests,
    )
    classes = tuple(emotions or settings.emotions or _present(parts))
    sides = {
        side: data.examples(
            parts.side(side),  # type: ignore[arg-type]
            digests,
            classes,
            votes=settings.votes if side == "train" else 0.0,
        )
        for side in ("train", "validation", "test")
    }
    if settings.max_clips:
        rng = np.random.default_rng(settings.seed)
        for side, most in (
            ("train", settings.max_clips),
            ("validation", max(32, settings.max_clips // 4)),
        ):
            keep = np.sort(rng.permutation(len(sides[side]))[:most])
            sides[side] = [sides[side][i] for i in keep]
    return Prepared(classes, sides, decoded, (*problems, *broken), parts.notes)


def _present(parts: Splits) -> tuple[str, ...]:
    found = {clip.emotion for clip in parts.train}
    return tuple(emotion for emotion in EMOTIONS if emotion in found)


def specify(settings: Settings, prepared: Prepared, version: str) -> Specification:
    """Return the specification of the model that the settings describe."""
    return Specification(
        frontend=settings.frontend,
        frontend_parameters=settings.frontend_arguments(),
        backbone=settings.backbone,
        backbone_parameters=dict(settings.backbone_parameters),
        emotions=prepared.emotions,
        seconds=settings.seconds,
        input_channels=settings.input_channels,
        trim_silence=settings.trim_silence,
        normalisation={
            "kind": "none" if settings.normalisation == "corpus" else settings.normalisation
        },
        name=settings.name,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=settings.seed,
        data_hash=data.data_hash(prepared.sides),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    names = ("torch", "torchaudio", "torchvision", "transformers", "numpy", "pytorch-ignite")
    return {"python": platform.python_version()} | {n: package_version(n) for n in names}


def new_model(
    settings: Settings, specification: Specification, prepared: Prepared
) -> tuple[Model, Specification]:
    """Build the model with fresh weights, statistics of the training clips included."""
    torch.manual_seed(settings.seed)
    if settings.normalisation == "corpus":
        plain = build(dataclasses.replace(specification, normalisation={"kind": "none"}))
        normaliser = fit_corpus(_training_maps(plain, specification, prepared))
        specification = dataclasses.replace(specification, normalisation=normaliser.to_json())
        torch.manual_seed(settings.seed)
    model = build(specification, weights=settings.first_weights or None)
    complete = dataclasses.replace(
        specification,
        frontend_parameters=model.frontend.parameters_json(),
        backbone_parameters=model.backbone.parameters_json(),
    )
    return model, complete


def _training_maps(
    model: Model, specification: Specification, prepared: Prepared
) -> list[FeatureMap]:
    maps = []
    for item in prepared.sides["train"][:2000]:
        samples = data.centre(prepared.decoded.samples(item.digest), specification.samples)
        waveform = torch.from_numpy(samples).repeat(specification.input_channels, 1)[None]
        with torch.inference_mode():
            maps.append(model.features(waveform, torch.tensor([samples.shape[1]])))
    return maps


def fit(
    settings: Settings,
    folder: Path,
    run_folder: Path,
    cache: Path,
    *,
    prepared: Prepared | None = None,
    progress: Progress | None = None,
    tick: Ticker | None = None,
    finish: Callable[[Model, Specification, calibration.Calibration, Prepared], Mapping[str, Any]]
    | None = None,
    card: Callable[[Specification, Settings, Mapping[str, Any]], str] | None = None,
    label_revision: str = "",
) -> Trained:
    """Train a model and write its checkpoint.

    Args:
        settings: of the run; with ``start`` the checkpoint there is fine-tuned.
        folder: where the checkpoint goes, whole or not at all.
        run_folder: where the resumable state is kept.
        cache: folder of decoded clips.
        prepared: the clips, where the caller has them already.
        progress, tick: who is told.
        finish: makes the figures for ``metrics.json``; None measures as ``measure`` does.
        card: makes the model card; None writes a short one.
        label_revision: of the label store, for the record.

    Raises:
        TrainerError: the settings or the data can't be used, or the loss diverged.
    """
    progress = progress or Progress()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    parent = checkpoint.load(settings.start) if settings.start else None
    if prepared is None:
        emotions = parent.specification.emotions if parent else ()
        prepared = prepare(settings, cache, emotions=emotions, tick=tick)
    for note in prepared.notes:
        progress.log(f"note: {note}")
    _log_problems(prepared.problems, progress)
    if parent is None:
        data.check(prepared.sides, prepared.emotions)
        specification = specify(settings, prepared, folder.name)
        model, specification = new_model(settings, specification, prepared)
    else:
        torch.manual_seed(settings.seed)
        model = parent.model
        specification = dataclasses.replace(
            parent.specification,
            version=folder.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=settings.seed,
            data_hash=data.data_hash(prepared.sides),
            label_revision=label_revision,
            parent=parent.specification.version,
            versions=versions(),
        )
        for side in ("train", "validation"):
            if not prepared.sides[side]:
                raise DataError(f"the {side} side of the split is empty: add speakers")
    counts = {side: len(items) for side, items in prepared.sides.items()}
    progress.log(
        f"{counts['train']} training, {counts['validation']} validation and {counts['test']} test "
        f"clips; {specification.frontend} + {specification.backbone} on {device}"
    )
    model.to(device)
    loop = Loop(
        model,
        specification,
        settings,
        prepared.sides["train"],
        prepared.sides["validation"],
        prepared.decoded,
        run_folder,
        progress,
    )
    history = loop.run()
    if not parallel.first():
        parallel.barrier()
        return Trained(folder, specification, history, prepared)
    fitted = calibrate(model, specification, prepared)
    figures = dict((finish or measure)(model, specification, fitted, prepared))
    figures |= {
        "settings": settings.to_json() | {"corpora": ""},
        "history": history,
        "clips": counts,
    }
    text = (card or short_card)(specification, settings, figures)
    checkpoint.save(folder, model, specification, fitted, figures, text, half=settings.half_weights)
    (run_folder / STATE).unlink(missing_ok=True)
    parallel.barrier()
    return Trained(folder, specification, history, prepared, figures)


def _log_problems(problems: Sequence[Problem], progress: Progress) -> None:
    kinds: dict[str, int] = {}
    for problem in problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    for kind, count in sorted(kinds.items()):
        first = next(p for p in problems if p.kind == kind)
        progress.log(f"left out, {kind}: {count} (such as {first.name}: {first.reason})")


def calibrate(
    model: Model, specification: Specification, prepared: Prepared
) -> calibration.Calibration:
    """Fit the calibration on the validation speakers; each corpus counts the same."""
    items = prepared.sides["validation"]
    logits = clip_logits(model, specification, items, prepared.decoded)
    labels = np.array([item.label for item in items], dtype=np.int64)
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.clip.corpus] = sizes.get(item.clip.corpus, 0) + 1
    weights = np.array([1 / sizes[item.clip.corpus] for item in items])
    return calibration.fit(logits, labels, weights=weights)


def outcomes(
    model: Model,
    specification: Specification,
    fitted: calibration.Calibration,
    items: Sequence[Example],
    decoded: DecodedClips,
) -> Outcomes:
    """Return what the model says of labelled clips."""
    device = next(model.parameters()).device
    logits = clip_logits(model, specification, items, decoded, autocast_dtype("auto", device))
    return Outcomes(
        specification.emotions,
        np.array([item.label for item in items], dtype=np.int64),
        fitted.probabilities(logits),
        calibration.softmax(logits),
        tuple(item.clip.corpus for item in items),
        tuple(item.clip.sex for item in items),
        tuple(item.clip.person for item in items),
        tuple(item.clip.key for item in items),
    )


def measure(
    model: Model,
    specification: Specification,
    fitted: calibration.Calibration,
    prepared: Prepared,
) -> dict[str, Any]:
    """Return the figures on the test speakers, by corpus."""
    from trainer import metrics
    from trainer.records import encode

    items = prepared.sides["test"]
    if not items:
        return {"test": {}}
    found = outcomes(model, specification, fitted, items, prepared.decoded)
    allowed = metrics.corpus_emotions(found)
    figures = {}
    for corpus in sorted(set(found.corpus)):
        part = found.select(np.array([c == corpus for c in found.corpus]))
        chosen = metrics.restricted(part, allowed)
        figures[corpus] = encode(metrics.scores(part, chosen, rng=np.random.default_rng(0))) | {
            "ece": metrics.calibration(part).ece_after
        }
    return {"test": figures}


def short_card(specification: Specification, settings: Settings, figures: Mapping[str, Any]) -> str:
    """Return a model card with the figures on the test speakers."""
    rows = [
        f"| {corpus} | {f['clips']} | {f['speakers']} | {f['uar']:.3f} | {f['accuracy']:.3f} "
        f"| {f['macro_f1']:.3f} | {f['majority_uar']:.3f} | {f['ece']:.3f} |"
        for corpus, f in figures.get("test", {}).items()
    ]
    return "\n".join(
        [
            "---",
            "license: cc-by-nc-sa-4.0",
            "pipeline_tag: audio-classification",
            "tags: [speech-emotion-recognition]",
            "---",
            "",
            f"# {specification.name} {specification.version}",
            "",
            f"Speech emotion recognition: {specification.frontend} front-end, "
            f"{specification.backbone}, windows of {specification.seconds:g} s, "
            f"{len(specification.emotions)} emotions ({', '.join(specification.emotions)}).",
            "",
            f"Made on {specification.created[:10]} from "
            f"{figures['clips']['train']} clips, chosen on {figures['clips']['validation']} clips "
            "of validation speakers.",
            "",
            "## On speakers it never heard",
            "",
            "Test speakers only; each figure reads the likeliest of the emotions that the corpus "
            "has.",
            "",
            "| corpus | clips | speakers | UAR | accuracy | macro-F1 | majority UAR | ECE |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "## Limits",
            "",
            "Learned from actors. It hears how something is said in the manner of those actors, "
            "not what a person feels. Not for decisions about people.",
            "",
        ]
    )


def new_version(now: datetime | None = None) -> str:
    """Return the name of a new version, which sorts by time.

    >>> new_version(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))
    '20240506-070809'
    """
    return (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")


def run_name(settings: Settings) -> str:
    """Return the name of a run's folder: the same settings go on where they were stopped."""
    words = json.dumps(settings.identity(), sort_keys=True)
    return f"fit-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def require_trainable(settings: Settings) -> None:
    """Refuse what this loop can't train.

    Raises:
        SettingsError: SMOTE and ADASYN rows are made for descriptor statistics alone.
    """
    if settings.balance in ("smote", "adasyn") and settings.backbone != "pooling":
        raise SettingsError(f"{settings.balance} needs the backbone “pooling”.")
