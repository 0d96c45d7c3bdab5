"""What the Augment tab does with a clip, without the page: open, change, judge before and after."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core.audio import Audio
from ser_core.augment import EFFECTS, FEATURE_EFFECTS, Chain, DrawnChain
from ser_core.augment.noises import noises_in
from ser_core.errors import AugmentError
from ser_core.home import Home
from ui.services import Services
from ui.working_clip import Samples, WorkingClip, open_clip

if TYPE_CHECKING:
    from ser_core.inference.recognizer import Recognizer

SEEDS = 2**32


@dataclass(frozen=True, eq=False)
class AugmentResult:
    """A clip before and after.

    Attributes:
        original: the clip as it is.
        samples: the changed clip, ``[channel, time]``.
        drawn: what was done, with every value.
        prediction: the prediction of the changed clip, as JSON.
        notes: sentences on what a person may not expect.
    """

    original: WorkingClip
    samples: Samples
    drawn: DrawnChain
    prediction: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...] = ()


def change(
    services: Services,
    path: str | Path,
    recipe: Any,
    seed: int,
    recognizer: Recognizer | None = None,
) -> AugmentResult:
    """Apply a recipe to a clip and judge what comes out.

    Args:
        services: the model and the folder of noises.
        path: the clip's file.
        recipe: as ``Chain.from_json`` takes it.
        seed: what is left open in the recipe is drawn from it, 0 to 2**32 - 1.
        recognizer: the model; the one that serves by default.

    Raises:
        SerError: the clip, the recipe or the seed can't be used.
    """
    recognizer = recognizer or services.serving.recognizer
    working = open_clip(services, path, recognizer)
    chain = Chain.from_json(recipe, noises_in(Home(services.home).noises))
    clip = working.clip
    drawn = chain.draw(np.random.default_rng(seed), clip.samples, clip.sample_rate)
    samples = drawn.apply(clip.samples, clip.sample_rate)
    prediction = judge(recognizer, clip, samples, drawn)
    return AugmentResult(
        working, samples, drawn, prediction, _notes(working, samples, drawn, chain)
    )


def judge(
    recognizer: Recognizer, clip: Audio, samples: Samples, drawn: DrawnChain
) -> dict[str, Any]:
    """Return the prediction of changed samples; masks are laid over what the model sees.

    Each of the model's windows is masked for itself, as in training.
    """
    changed = Audio(samples, clip.sample_rate, clip.source_rate, clip.name)
    masked = any(step.effect.kind == "feature" for step in drawn.steps)
    runtime = recognizer.torch_runtime(change=drawn.apply_features) if masked else None
    return recognizer.predict(changed, runtime=runtime).to_json()


def table(home: Path) -> list[dict[str, Any]]:
    """Return every effect with its sliders, as the page's editor needs them.

    Args:
        home: where a folder of background recordings may be.
    """
    offered = noises_in(Home(home).noises) is not None
    return [
        {
            "name": effect.name,
            "title": effect.title,
            "summary": effect.summary,
            "kind": effect.kind,
            "parameters": [
                {
                    "name": one.name,
                    "unit": one.unit,
                    "low": one.low,
                    "high": one.high,
                    "default": one.default,
                    "step": one.step,
                    "about": one.description,
                    "switch": one.switch,
                }
                for one in effect.parameters
            ],
            "start": effect.step("medium"),
        }
        for effect in (*EFFECTS.values(), *FEATURE_EFFECTS.values())
        if offered or not effect.needs_noises
    ]


def parse(text: Any) -> tuple[list[dict[str, Any]], int]:
    """Return recipe and seed from what the editor sends.

    Args:
        text: JSON ``{"recipe": [...], "seed": 0}``.

    Raises:
        AugmentError: it is something else, or the seed is out of range.
    """
    try:
        sent = json.loads(text) if isinstance(text, str) and text else {}
    except (ValueError, RecursionError) as error:
        raise AugmentError(f"What the page sent is not JSON ({error}). Reload the page.") from error
    if not isinstance(sent, dict):
        raise AugmentError("What the page sent is not a recipe with a seed. Reload the page.")
    seed = sent.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEEDS:
        raise AugmentError(
            f"The seed is {seed!r:.40}; a whole number from 0 to {SEEDS - 1} is expected."
        )
    return sent.get("recipe", []), seed


def adopt(text: Any) -> str:
    """Return the editor's value with the recipe that a person pasted, every parameter written out.

    Args:
        text: JSON ``{"recipe": "pasted text", "seed": 0}``.

    Raises:
        AugmentError: the recipe is not one; the message says where and why.
    """
    recipe, seed = parse(text)
    steps = Chain.from_json(recipe if recipe else "[]").to_json()
    return json.dumps({"recipe": steps, "seed": seed})


def _notes(
    original: WorkingClip, samples: Samples, drawn: DrawnChain, chain: Chain
) -> tuple[str, ...]:
    notes = [original.cut] if original.cut else []
    if not np.any(samples):
        notes.append(
            "The recipe leaves nothing of the clip: what comes out is silence. "
            "Make an effect weaker or remove it."
        )
    over = float(np.mean(np.abs(samples) > 1.0))
    if over > 0:
        notes.append(
            f"{_share(over)} of the augmented clip goes beyond full scale; the model gets it "
            "unclipped, the loudspeaker plays it cut off."
        )
    left = len(chain.steps) - len(drawn.steps)
    if left:
        noun = "1 step was" if left == 1 else f"{left} steps were"
        notes.append(f"{noun} left out in this draw; another seed may take what this left.")
    return tuple(notes)


def _share(value: float) -> str:
    return "Less than 0.1 %" if value < 0.001 else f"{value * 100:.1f} %"
