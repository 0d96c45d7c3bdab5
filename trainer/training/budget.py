"""Settings whose run takes a given time on this machine, from how fast its first steps go."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ser_core.device import autocast_dtype, choose_device
from trainer.data.prepare import Prepared
from trainer.errors import SettingsError
from trainer.evaluation.middle_window import middle_window_logits
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.loop import Loop
from trainer.training.new_model import new_model, specify

WARM_STEPS = 6
"""First steps, which prepare kernels and aren't timed."""

TIMED_STEPS, MOST_STEPS = 12, 400
"""Steps that are timed at least and at most."""

JUDGING = 0.15
"""Largest share of the budget that may go to the validation clips."""


@dataclass(frozen=True)
class Pace:
    """How fast a model learns here: clips a second, and seconds for all validation clips."""

    clips_per_second: float
    validation_seconds: float


def measure_pace(
    settings: Settings,
    prepared: Prepared,
    *,
    seconds: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Pace:
    """Train a throw-away model for a moment and time it.

    Args:
        settings: of the run; a probe has steps of every length that the crops have.
        prepared: the clips.
        seconds: how long the timed steps take together, about, where ``TIMED_STEPS`` take less.
        clock: seconds.
    """
    rate = _rate(settings, prepared, TIMED_STEPS, clock)
    spent = TIMED_STEPS * settings.batch_size / rate
    if spent < seconds / 2:
        steps = min(MOST_STEPS, int(TIMED_STEPS * seconds / spent))
        rate = _rate(settings, prepared, steps, clock)
    specification = specify(settings, prepared, "probe")
    model, specification = new_model(settings, specification, prepared)
    model.to(choose_device(settings.device))
    items = prepared.sides["validation"][:128]
    dtype = autocast_dtype(settings.precision, next(model.parameters()).device)
    middle_window_logits(model, specification, items[:2], prepared.decoded, dtype)
    begun = clock()
    middle_window_logits(model, specification, items, prepared.decoded, dtype)
    each = (clock() - begun) / max(1, len(items))
    return Pace(rate, each * len(prepared.sides["validation"]))


def _rate(settings: Settings, prepared: Prepared, steps: int, clock: Callable[[], float]) -> float:
    """Return the clips a second of so many steps behind the first ones."""
    specification = specify(settings, prepared, "probe")
    model, specification = new_model(settings, specification, prepared)
    model.to(choose_device(settings.device))
    times: list[float] = []
    clips = (WARM_STEPS + steps) * settings.batch_size
    with tempfile.TemporaryDirectory() as folder:
        Loop(
            model,
            specification,
            dataclasses.replace(settings, epochs=1, epoch_clips=clips, save_seconds=1e6),
            prepared.sides["train"],
            prepared.sides["validation"][:1],
            prepared.decoded,
            Path(folder),
            Callbacks(lambda line: None, lambda done, total, loss: times.append(clock())),
        ).run()
    timed = times[WARM_STEPS - 1 :]
    return (len(timed) - 1) * settings.batch_size / max(timed[-1] - timed[0], 1e-9)


def within(settings: Settings, pace: Pace, minutes: float) -> Settings:
    """Return the settings with as many epochs and clips as fit into the budget.

    The schedule is planned for it, so that the learning rate ends where it should. The epochs are
    as many as the settings ask for, or fewer where judging each would take too much of the time.

    Args:
        settings: of the run.
        pace: of `measure_pace`.
        minutes: of training and judging together.

    Raises:
        SettingsError: not even one batch fits.

    >>> short = within(Settings(epochs=10, batch_size=32), Pace(40.0, 12.0), 10)
    >>> short.epochs, short.epoch_clips
    (7, 2944)
    """
    budget = 60 * minutes
    most = int(JUDGING * budget / max(pace.validation_seconds, 1e-9))
    epochs = max(1, min(settings.epochs, most))
    left = budget - epochs * pace.validation_seconds
    batches = int(left * pace.clips_per_second / epochs / settings.batch_size)
    if batches < 1:
        raise SettingsError(
            f"{minutes:g} minutes are too few: judging the validation clips once takes "
            f"{pace.validation_seconds:.0f} s, and {pace.clips_per_second:.1f} clips go through in "
            "a second"
        )
    return dataclasses.replace(settings, epochs=epochs, epoch_clips=batches * settings.batch_size)
