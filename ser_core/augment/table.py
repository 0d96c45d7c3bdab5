"""The one table of effects, by name, with the other names they answer to."""

from __future__ import annotations

from ser_core.augment import features, level, noise, room, timing, tone
from ser_core.augment.effect import Effect, offer
from ser_core.errors import AugmentError

EFFECTS: dict[str, Effect] = {
    effect.name: effect
    for module in (noise, timing, tone, room, level)
    for effect in module.EFFECTS
}
"""Every effect on a waveform, by name, in the order of the page."""

FEATURE_EFFECTS: dict[str, Effect] = {effect.name: effect for effect in features.EFFECTS}
"""Every effect on a feature map, by name."""

ALIASES: dict[str, str] = {
    "AddGaussianNoise": "amplitude_noise",
    "AddGaussianSNR": "gaussian_noise",
    "AddColorNoise": "coloured_noise",
    "AddBackgroundNoise": "background_noise",
    "TimeStretch": "time_stretch",
    "PitchShift": "pitch_shift",
    "Shift": "shift",
    "Gain": "gain",
    "FrequencyMasking": "frequency_mask",
    "TimeMasking": "time_mask",
}
"""Names that audiomentations and torchaudio use, and the effects here that do the same."""

ROBUSTNESS: tuple[str, ...] = (
    "gaussian_noise",
    "time_stretch",
    "pitch_shift",
    "shift",
    "speed",
    "lowpass",
    "telephone",
    "rate",
    "reverb",
    "gain",
    "clipping",
)
"""The eleven effects of the robustness sweep, each at its three strengths."""


def find(name: str, where: str) -> Effect:
    """Return the effect called ``name``, or by an alias of it.

    Args:
        name: a name of the table or an alias.
        where: the step it stands in, for the message.

    Raises:
        AugmentError: there is none; the message offers the nearest one.

    >>> find("AddGaussianNoise", "step 1").name
    'amplitude_noise'
    """
    proper = ALIASES.get(name, name)
    effect = EFFECTS.get(proper) or FEATURE_EFFECTS.get(proper)
    if effect is None:
        known = [*EFFECTS, *FEATURE_EFFECTS, *ALIASES]
        raise AugmentError(f"{where}: there is no effect “{name:.60}”. {offer(name, known)}")
    return effect
