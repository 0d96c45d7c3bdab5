"""Effects on a feature map ``[channel, bin, frame]``, of numpy or torch: shift and masks.

Source of the masks: D. S. Park et al., "SpecAugment", Interspeech 2019, https://arxiv.org/abs/1904.08779
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ser_core.augment.effect import Effect, Parameter, Values, generator, switch


def _copy(values: Any) -> Any:
    return values.copy() if isinstance(values, np.ndarray) else values.clone()


def _time_shift(maps: Any, frames: int, values: Values) -> Any:
    shifted = _copy(maps)
    places = round(values["shift"] * frames)
    if places == 0:
        return shifted
    if values["rollover"]:
        places %= frames
        shifted[..., places:frames] = maps[..., : frames - places]
        shifted[..., :places] = maps[..., frames - places : frames]
        return shifted
    later, earlier = max(places, 0), max(-places, 0)
    shifted[..., :frames] = maps[..., :frames].min()
    shifted[..., later : frames - earlier] = maps[..., earlier : frames - later]
    return shifted


def _spans(size: int, values: Values) -> list[slice]:
    rng = generator(values["seed"])
    width = min(size, round(values["width"] * size))
    starts = [int(rng.random() * (size - width + 1)) for _ in range(values["count"])]
    return [slice(start, start + width) for start in starts]


def _time_mask(maps: Any, frames: int, values: Values) -> Any:
    masked = _copy(maps)
    if frames:
        fill = maps[..., :frames].mean()
        for span in _spans(frames, values):
            masked[..., span] = fill
    return masked


def _frequency_mask(maps: Any, frames: int, values: Values) -> Any:
    masked = _copy(maps)
    if frames:
        fill = maps[..., :frames].mean()
        for span in _spans(maps.shape[-2], values):
            masked[..., span, :frames] = fill
    return masked


def _frequency_shift(maps: Any, frames: int, values: Values) -> Any:
    shifted = _copy(maps)
    bins = maps.shape[-2]
    places = round(values["shift"] * bins)
    if places == 0 or not frames:
        return shifted
    # The outermost bin is repeated: there is nothing beyond it to bring in.
    source = np.clip(np.arange(bins) - places, 0, bins - 1)
    shifted[..., :frames] = maps[..., source, :frames]
    return shifted


EFFECTS = (
    Effect(
        "time_shift",
        "Time shift of the map",
        "Moves the picture that the model sees later or earlier, frame by frame.",
        (
            Parameter(
                "shift", "of the clip", -1.0, 1.0, 0.0, 0.01, "Above 0 is later, to the right."
            ),
            switch("rollover", True, "What leaves at one end comes back at the other."),
        ),
        _time_shift,
        {"mild": {"shift": 0.1}, "medium": {"shift": 0.25}, "strong": {"shift": 0.5}},
        kind="feature",
    ),
    Effect(
        "frequency_shift",
        "Frequency shift of the map",
        "Moves the picture that the model sees up or down, as if the speaker's vocal tract had "
        "another length.",
        (
            Parameter(
                "shift",
                "of the bins",
                -0.5,
                0.5,
                0.0,
                0.0125,
                "Above 0 is upwards, a smaller head.",
            ),
        ),
        _frequency_shift,
        {"mild": {"shift": 0.025}, "medium": {"shift": 0.05}, "strong": {"shift": 0.1}},
        kind="feature",
    ),
    Effect(
        "time_mask",
        "Time mask",
        "Covers whole moments of the picture that the model sees, as if the line had dropped out.",
        (
            Parameter("width", "of the clip", 0.0, 1.0, 0.1, 0.01, "How much one mask covers."),
            Parameter("count", "", 1, 10, 1, 1, "How many masks there are.", whole=True),
        ),
        _time_mask,
        {
            "mild": {"width": 0.05},
            "medium": {"width": 0.1, "count": 2},
            "strong": {"width": 0.15, "count": 3},
        },
        kind="feature",
        seeded=True,
    ),
    Effect(
        "frequency_mask",
        "Frequency mask",
        "Covers whole bands of the picture that the model sees, as if those pitches were deaf.",
        (
            Parameter("width", "of the bins", 0.0, 1.0, 0.1, 0.01, "How much one mask covers."),
            Parameter("count", "", 1, 10, 1, 1, "How many masks there are.", whole=True),
        ),
        _frequency_mask,
        {
            "mild": {"width": 0.05},
            "medium": {"width": 0.1, "count": 2},
            "strong": {"width": 0.15, "count": 3},
        },
        kind="feature",
        seeded=True,
    ),
)
"""The effects of this module, in the order of the table."""
