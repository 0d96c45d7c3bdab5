"""Ways to scale a feature map, by name; `ser_core.frontends.normalise` does it."""

from __future__ import annotations

NORMALISATIONS: dict[str, str] = {
    "none": "values as they are",
    "minmax": "each clip to 0..1",
    "zscore": "each clip to mean 0 and deviation 1",
    "zscore_bin": "each bin of each clip to mean 0 and deviation 1",
    "corpus": "each bin by the mean and deviation of the training clips (a StandardScaler)",
}
