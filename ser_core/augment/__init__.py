"""Augmentation: one table of effects, and chains of them that are drawn, applied and replayed."""

from ser_core.augment.chain import Chain, DrawnChain, DrawnStep, Step, augment
from ser_core.augment.drawing import mix_plan, mixup, worker_rng
from ser_core.augment.effect import STRENGTHS, Effect, Parameter
from ser_core.augment.noises import NoiseFolder
from ser_core.augment.recipes import RECIPES
from ser_core.augment.table import ALIASES, EFFECTS, FEATURE_EFFECTS, ROBUSTNESS, find

__all__ = [
    "ALIASES",
    "EFFECTS",
    "FEATURE_EFFECTS",
    "RECIPES",
    "ROBUSTNESS",
    "STRENGTHS",
    "Chain",
    "DrawnChain",
    "DrawnStep",
    "Effect",
    "NoiseFolder",
    "Parameter",
    "Step",
    "augment",
    "find",
    "mix_plan",
    "mixup",
    "worker_rng",
]
