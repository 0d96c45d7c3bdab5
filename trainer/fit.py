"""One training run from settings to a checkpoint: prepare, train, calibrate, measure, save."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ser_core import calibration, checkpoint
from ser_core.corpora.clip import Problem
from ser_core.device import choose_device
from ser_core.model import Model
from ser_core.specification import Specification
from trainer import data, parallel, state
from trainer.blend import Blend, blended, choose
from trainer.errors import DataError, SettingsError
from trainer.fresh import new_model, specify, versions
from trainer.learner import autocast_dtype
from trainer.loop import Loop, Progress
from trainer.measure import calibrate, clip_logits, mean_uar, measure
from trainer.prepare import Prepared, Ticker, prepare
from trainer.settings import Settings
from trainer.short_card import short_card
from trainer.versions import record


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
    if settings.blend and parent is None:
        raise SettingsError("blend is between a fine-tune and what it started from: give a start.")
    if prepared is None:
        emotions = parent.specification.emotions if parent else ()
        if parent is not None:
            trim = parent.specification.trim_silence
            settings = dataclasses.replace(settings, trim_silence=trim)
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
    first = _copy(model) if settings.blend else {}
    history = loop.run()
    if not parallel.first():
        parallel.barrier()
        return Trained(folder, specification, history, prepared)
    found = _blend(model, specification, settings, prepared, first) if settings.blend else None
    if found is not None:
        progress.log(found.sentence())
    fitted = calibrate(model, specification, prepared)
    figures = dict((finish or measure)(model, specification, fitted, prepared))
    figures |= {
        "settings": _published(settings, specification),
        "history": history,
        "clips": counts,
    }
    if found is not None:
        figures["blend"] = {"share": found.share, "scores": list(found.scores.items())}
    text = (card or short_card)(specification, settings, figures)
    checkpoint.save(folder, model, specification, fitted, figures, text, half=settings.half_weights)
    state.remove(run_folder)
    parallel.barrier()
    return Trained(folder, specification, history, prepared, figures)


def _published(settings: Settings, specification: Specification) -> dict[str, Any]:
    """Return the settings as a checkpoint tells them, without the folders of this machine."""
    first = Path(settings.first_weights).name
    told = {"corpora": "", "start": specification.parent, "first_weights": first}
    return settings.to_json() | told


def _copy(model: Model) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def _blend(
    model: Model,
    specification: Specification,
    settings: Settings,
    prepared: Prepared,
    first: Mapping[str, Tensor],
) -> Blend:
    """Put weights between ``first`` and the model's own into the model; return what was chosen."""
    items = prepared.sides["validation"]
    device = next(model.parameters()).device
    dtype = autocast_dtype(settings.precision, device)
    tuned = _copy(model)

    def score(weights: Mapping[str, Tensor]) -> float:
        model.load_state_dict(weights)
        logits = clip_logits(model, specification, items, prepared.decoded, dtype)
        return mean_uar(logits, items)

    found = choose(first, tuned, score)
    model.load_state_dict(blended(first, tuned, found.share))
    return found


def _log_problems(problems: Sequence[Problem], progress: Progress) -> None:
    kinds: dict[str, int] = {}
    for problem in problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    for kind, count in sorted(kinds.items()):
        first = next(p for p in problems if p.kind == kind)
        progress.log(f"left out, {kind}: {count} (such as {first.name}: {first.reason})")


def remember(home: Path, trained: Trained, settings: Settings, uar: float) -> None:
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
        SettingsError: SMOTE and ADASYN rows are made for descriptor statistics alone.
    """
    if settings.balance in ("smote", "adasyn") and settings.backbone != "pooling":
        raise SettingsError(f"{settings.balance} needs the backbone “pooling”.")
