"""Hyper-parameter search with Optuna: grid, random or TPE, in a study that can go on later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.errors import TrainerError, TuningError

SAMPLERS = ("tpe", "random", "grid")
EpochReport = Callable[[int, float], None]
TrialFit = Callable[[Mapping[str, Any], EpochReport], float]
"""Trains with some settings, reports validation UAR by epoch, returns the best one."""

DEFAULT_SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    "label_smoothing": {"low": 0.0, "high": 0.2},
    "weight_decay": {"low": 1e-5, "high": 1e-2, "log": True},
    "batch_size": [16, 32, 64],
}


@dataclass(frozen=True)
class Tuned:
    """The best settings found, their figure, and how the trials ended."""

    best: dict[str, Any]
    value: float
    trials: dict[str, int]


def read_space(path: Path) -> dict[str, Any]:
    """Return the search space of a JSON file.

    Raises:
        TuningError: it can't be read, or holds no object.
    """
    try:
        space = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TuningError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(space, dict):
        raise TuningError(f"{path} holds no object; write {{setting: [values]}}")
    return space


def check_space(space: Mapping[str, Any], sampler: str) -> None:
    """Refuse a space that can't be searched.

    Raises:
        TuningError: an entry is neither a list nor an interval, or grid is asked of an interval.
    """
    if sampler not in SAMPLERS:
        raise TuningError(f"“{sampler}” is not a sampler; known are {', '.join(SAMPLERS)}")
    if not space:
        raise TuningError("the search space is empty")
    for name, entry in space.items():
        if isinstance(entry, Sequence) and not isinstance(entry, str) and len(entry):
            continue
        if not isinstance(entry, Mapping) or not {"low", "high"} <= set(entry) <= {
            "low",
            "high",
            "log",
        }:
            raise TuningError(
                f"{name}: write a list of values, or low and high (and log = true); found {entry!r}"
            )
        numbers = all(
            isinstance(entry[end], int | float) and not isinstance(entry[end], bool)
            for end in ("low", "high")
        )
        if not numbers or not entry["low"] < entry["high"]:
            raise TuningError(f"{name}: low must be a number below high; found {entry!r}")
        if entry.get("log") and entry["low"] <= 0:
            raise TuningError(f"{name}: a logarithmic range must start above 0; found {entry!r}")
        if sampler == "grid":
            raise TuningError(f"{name} is a range; a grid needs a list of its values")


def tune(
    fit: TrialFit,
    space: Mapping[str, Any],
    study_file: Path,
    *,
    trials: int = 20,
    sampler: str = "tpe",
    prune: bool = True,
    seed: int = 0,
    name: str = "study",
    log: Callable[[str], None] = print,
) -> Tuned:
    """Search for the settings with the best validation UAR.

    A study that was stopped, killed included, goes on: finished trials count towards ``trials``
    and a trial that was cut off is marked as failed and made up for.

    Args:
        fit: trains once. A `TrainerError` fails its trial alone.
        space: setting -> list of values, or {"low", "high", "log"}.
        study_file: SQLite file.
        trials: finished trials in all; a grid ends when it is used up.
        sampler: "tpe" (Bayesian), "random" or "grid".
        prune: stop trials that are below the median of the others at the same epoch.
        seed: of the sampler.
        name: of the study inside the file.
        log: takes a line.

    Raises:
        TuningError: the space can't be searched, or no trial went through.
    """
    try:
        import optuna
    except ImportError as error:
        raise TuningError(
            "optuna is not installed; `pip install -r requirements-extra.txt` brings it"
        ) from error
    from optuna.trial import TrialState

    check_space(space, sampler)
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # failed trials are reported below
    study_file.parent.mkdir(parents=True, exist_ok=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1)
    study = optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{study_file}",
        load_if_exists=True,
        direction="maximize",
        pruner=pruner if prune else optuna.pruners.NopPruner(),
    )
    held = study.user_attrs.get("space")
    plain = {key: dict(v) if isinstance(v, Mapping) else list(v) for key, v in space.items()}
    if held is not None and held != plain:
        raise TuningError(
            f"the study “{name}” in {study_file} searches another space; name another study"
        )
    study.set_user_attr("space", plain)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if set(trial.params) == set(space):
            study.enqueue_trial(trial.params)
    done = len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))
    # A sampler that began anew with the same seed would propose the same settings again; a grid
    # numbers its points by the seed and must keep it.
    begun = 0 if sampler == "grid" else len(study.trials)
    study.sampler = _sampler(sampler, space, seed + begun)

    def objective(trial: Any) -> float:
        chosen = {key: _suggest(trial, key, entry) for key, entry in space.items()}

        def report(epoch: int, value: float) -> None:
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        value = fit(chosen, report)
        log(f"trial {trial.number + 1}: {value:.4f} with {chosen}")
        return value

    failed = 0
    while done < trials and failed < trials:
        waiting = study.get_trials(states=(TrialState.WAITING,))
        if sampler == "grid" and not waiting and study.sampler.is_exhausted(study):
            break
        study.optimize(objective, n_trials=1, catch=(TrainerError,))
        last = study.trials[waiting[0].number if waiting else -1]
        if last.state == TrialState.FAIL:
            failed += 1
            log(f"trial {last.number + 1} failed with {last.params}")
        else:
            done += 1
    counts: dict[str, int] = {}
    for trial in study.trials:
        counts[trial.state.name.lower()] = counts.get(trial.state.name.lower(), 0) + 1
    if not counts.get("complete"):
        raise TuningError(f"no trial went through ({counts}); nothing was learned")
    return Tuned(dict(study.best_params), float(study.best_value), counts)


def _sampler(name: str, space: Mapping[str, Any], seed: int) -> Any:
    import optuna

    if name == "grid":
        return optuna.samplers.GridSampler({k: list(v) for k, v in space.items()}, seed=seed)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _suggest(trial: Any, name: str, entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return trial.suggest_categorical(name, list(entry))
    low, high, log = entry["low"], entry["high"], bool(entry.get("log", False))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, float(low), float(high), log=log)
