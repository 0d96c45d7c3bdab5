"""One training run from settings to a checkpoint: prepare, train, calibrate, measure, save."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import Model
from ser_core.checkpoints.specification import Specification
from ser_core.corpora.clip import Problem
from ser_core.device import autocast_dtype, choose_device
from ser_core.home import HomeLike
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.torch_runtime import TorchRuntime
from trainer.data import batches
from trainer.data.embeddings import Embeddings, logits_of_states
from trainer.data.prepare import Prepared, Ticker, prepare, require_sides
from trainer.errors import SettingsError
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.evaluate import by_corpus
from trainer.evaluation.heads import calibrate_head, head_predictions, missing_windows
from trainer.evaluation.inference import BATCH, predict_examples
from trainer.evaluation.middle_window import middle_window_logits, middle_window_uar
from trainer.lifecycle.versions import record
from trainer.reporting.short_card import short_card
from trainer.settings import OVERSAMPLERS, Settings
from trainer.training import parallel, state
from trainer.training.callbacks import Callbacks
from trainer.training.depth import set_depth
from trainer.training.distillation import take_lessons, with_unlabelled
from trainer.training.loop import Loop
from trainer.training.more_heads import with_more_heads
from trainer.training.new_model import (
    new_model,
    require_pretrained,
    scale,
    specify,
    versions,
)
from trainer.training.weight_interpolation import Interpolation, choose, interpolated


@dataclass(frozen=True)
class Trained:
    """What a run left behind."""

    folder: Path
    specification: Specification
    history: list[dict[str, float]]
    prepared: Prepared
    figures: dict[str, Any] = field(default_factory=dict)


def fit(
    settings: Settings,
    folder: Path,
    run_folder: Path,
    cache: Path,
    *,
    prepared: Prepared | None = None,
    progress: Callbacks | None = None,
    tick: Ticker | None = None,
    finish: Callable[[Pipeline, Calibration, Prepared], Mapping[str, Any]] | None = None,
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
        finish: makes the figures for ``metrics.json``; None scores the test speakers.
        card: makes the model card; None writes a short one.
        label_revision: of the label store, for the record.

    Raises:
        TrainerError: the settings or the data can't be used, or the loss diverged.
    """
    progress = progress or Callbacks()
    batches.waveform_chain(settings)  # a missing folder of noises is said before hours of decoding
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    parent = checkpoint.load(settings.start) if settings.start else None
    if settings.weight_interpolation and parent is None:
        raise SettingsError(
            "weight_interpolation is between a fine-tune and the checkpoint it started from: "
            "give a start."
        )
    if prepared is None:
        emotions = parent.specification.emotions if parent else ()
        if parent is not None:
            trim = parent.specification.trim_silence
            settings = dataclasses.replace(settings, trim_silence=trim)
        require_pretrained(settings)
        prepared = prepare(settings, cache, emotions=emotions, tick=tick)
    for note in prepared.notes:
        progress.log(f"note: {note}")
    _log_problems(prepared.problems, progress)
    require_sides(prepared, settings.scheme)
    if parent is None:
        batches.check(prepared.sides["train"], prepared.emotions)
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
            data_hash=batches.data_hash(prepared.sides),
            label_revision=label_revision,
            parent=parent.specification.version,
            versions=versions(),
        )
    model, specification = set_depth(model, specification, settings)
    counts = {side: len(items) for side, items in prepared.sides.items()}
    progress.plan(
        {"clips": counts, "model": f"{specification.frontend} + {specification.backbone}"}
    )
    progress.log(
        f"{counts['train']} training, {counts['validation']} validation and {counts['test']} test "
        f"clips; {specification.frontend} + {specification.backbone} on {device}"
    )
    model.to(device)
    embeddings = None
    if settings.depth == "head":
        embeddings = Embeddings(
            model, specification, prepared.decoded, recipe=settings.augment, tick=tick
        )
        progress.log(_plan_of_states(embeddings, prepared, settings))
    train, lessons = prepared.sides["train"], None
    if settings.teacher:
        unlabelled = prepared.sides.get("unlabelled", [])
        progress.log(
            f"{len(settings.teacher)} teachers of {len(train)} clips with a label and "
            f"{len(unlabelled)} without, {settings.copies} copies of each"
        )
        lessons = take_lessons(
            settings, specification.emotions, [*train, *unlabelled], prepared.decoded, tick
        )
        train = with_unlabelled(train, unlabelled, lessons)
    if parent is None:
        scale(model, specification, prepared, embeddings)
    loop = Loop(
        model,
        specification,
        settings,
        train,
        prepared.sides["validation"],
        prepared.decoded,
        run_folder,
        progress,
        embeddings,
        lessons,
    )
    first = _copy(model) if settings.weight_interpolation else {}
    history = loop.run()
    if not parallel.first():
        parallel.barrier()
        return Trained(folder, specification, history, prepared)
    found = (
        _interpolate(model, specification, settings, prepared, first, embeddings)
        if settings.weight_interpolation
        else None
    )
    if found is not None:
        progress.log(found.sentence())
    if settings.heads > 1 and embeddings is not None:
        model, specification = with_more_heads(
            model, specification, settings, prepared, run_folder, progress, embeddings
        )
    progress.phase("measuring")
    if embeddings is None:
        runtime = TorchRuntime(model, precision=settings.precision)
        pipeline = Pipeline(specification, runtime, batch_size=BATCH)
        uncalibrated = predict_examples(
            pipeline, Calibration(), prepared.sides["validation"], prepared.decoded
        )
        fitted = calibrate(uncalibrated, progress.log)
        figures = dict((finish or _test_figures)(pipeline, fitted, prepared))
    else:
        items = prepared.sides["validation"]
        fitted = calibrate_head(model, specification, embeddings, items)
        test = prepared.sides["test"]
        figures = {"test": {}}
        if test:
            predictions = head_predictions(model, specification, fitted, embeddings, test)
            figures["test"] = by_corpus(predictions)
    figures |= {
        "settings": _published(settings, specification),
        "history": history,
        "clips": counts,
    }
    if found is not None:
        figures["weight_interpolation"] = {
            "share": found.share,
            "scores": list(found.scores.items()),
        }
    text = (card or short_card)(specification, settings, figures)
    checkpoint.save(folder, model, specification, fitted, figures, text, half=settings.half_weights)
    state.remove(run_folder)
    parallel.barrier()
    return Trained(folder, specification, history, prepared, figures)


def _plan_of_states(embeddings: Embeddings, prepared: Prepared, settings: Settings) -> str:
    """Say how many states a head's training, calibration and figures need, and how long it takes.

    They are kept by content, recipe and front: only the first run over the corpora computes them.
    """
    sides = prepared.sides
    train, judging = sides["train"], [*sides["validation"], *sides["test"]]

    def missing() -> int:
        found = embeddings.missing(train, settings.copies)
        found += embeddings.missing(sides["validation"], 0)
        return found + len(missing_windows(embeddings, judging))

    if not (first := missing()):
        return "head alone: all pooled states are kept from an earlier run"
    each = embeddings.pace(train) or embeddings.pace(sides["validation"])
    if not (left := missing()) or not each:
        return f"head alone: {first} pooled states to compute, the others are kept"
    length = timedelta(seconds=round(left * each))
    return (
        f"head alone: {left} pooled states to compute at {1000 * each:.0f} ms each, about {length} "
        "in all; they are kept, so that the next run begins with what is new alone"
    )


def _test_figures(
    pipeline: Pipeline, fitted: Calibration, prepared: Prepared
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the short figures on the test speakers, by corpus."""
    items = prepared.sides["test"]
    if not items:
        return {"test": {}}
    return {"test": by_corpus(predict_examples(pipeline, fitted, items, prepared.decoded))}


def _published(settings: Settings, specification: Specification) -> dict[str, Any]:
    """Return the settings as a checkpoint tells them, without the folders of this machine."""
    kept: dict[str, Any] = settings.to_json() | {"corpora": "", "start": specification.parent}
    for name in ("first_weights", "noises"):
        kept[name] = Path(kept[name]).name
    kept["teacher"] = [Path(folder).name for folder in settings.teacher]
    source = kept["frontend_parameters"].get("source")
    if source and Path(source).is_dir():  # else the encoder's name on the Hub
        kept["frontend_parameters"] = kept["frontend_parameters"] | {"source": Path(source).name}
    return kept


def _copy(model: Model) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def _interpolate(
    model: Model,
    specification: Specification,
    settings: Settings,
    prepared: Prepared,
    first: Mapping[str, Tensor],
    embeddings: Embeddings | None,
) -> Interpolation:
    """Put weights between ``first`` and the model's own into the model; return what was chosen."""
    items = prepared.sides["validation"]
    device = next(model.parameters()).device
    dtype = autocast_dtype(settings.precision, device)
    tuned = _copy(model)

    def score(weights: Mapping[str, Tensor]) -> float:
        model.load_state_dict(weights)
        if embeddings is not None:
            logits = logits_of_states(model, embeddings.of(items))
        else:
            logits = middle_window_logits(model, specification, items, prepared.decoded, dtype)
        return middle_window_uar(logits, items, specification.emotions)

    found = choose(first, tuned, score)
    model.load_state_dict(interpolated(first, tuned, found.share))
    return found


def _log_problems(problems: Sequence[Problem], progress: Callbacks) -> None:
    kinds: dict[str, int] = {}
    for problem in problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    for kind, count in sorted(kinds.items()):
        first = next(p for p in problems if p.kind == kind)
        progress.log(f"left out, {kind}: {count} (such as {first.name}: {first.reason})")


def remember(home: HomeLike, trained: Trained, settings: Settings, uar: float) -> None:
    """Add to the history that a checkpoint was trained, and from what.

    Args:
        home: SER_HOME.
        trained: what the run left behind.
        settings: of the run.
        uar: on the test speakers, 0 to 1.
    """
    made = trained.specification
    clips = {side: len(items) for side, items in trained.prepared.sides.items()}
    record(
        home,
        "fit",
        version=made.version,
        folder=str(trained.folder),
        parent=made.parent,
        seed=made.seed,
        data_hash=made.data_hash,
        label_revision=made.label_revision,
        versions=made.versions,
        settings=settings.to_json() | {"corpora": Path(settings.corpora).name},
        figures={"uar": uar, "epochs": float(len(trained.history))},
        reason=f"UAR {uar:.3f} on {clips['test']} clips of test speakers, "
        f"from {clips['train']} clips in {len(trained.history)} epochs",
    )


def run_name(settings: Settings) -> str:
    """Return the name of a run's folder: the same settings go on where they were stopped."""
    words = json.dumps(settings.identity(), sort_keys=True)
    return f"fit-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def require_trainable(settings: Settings) -> None:
    """Refuse what this loop can't train.

    Raises:
        SettingsError: rows made of descriptor statistics, which only pooling reads.
    """
    statistics = settings.balance in OVERSAMPLERS and settings.frontend == "descriptors"
    if statistics and settings.backbone != "pooling":
        raise SettingsError(
            f"{settings.balance} of descriptor statistics needs the backbone “pooling”."
        )
