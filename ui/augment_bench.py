"""What the Augment tab does with a clip, without the page: open, change, judge before and after."""

from __future__ import annotations

import functools
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ser_core.audio import Audio, duration, shown
from ser_core.augment import EFFECTS, FEATURE_EFFECTS, Chain, DrawnChain, NoiseFolder
from ser_core.errors import AugmentError
from ui.services import Services

if TYPE_CHECKING:
    from ser_core.recognizer import Recognizer

Samples = npt.NDArray[np.float32]

LONGEST = 30.0
"""Seconds of a clip that are worked on: enough for a sentence, little enough to answer at once."""

SEEDS = 2**32

NOISES = "noises"
"""Folder of background recordings in the home; without it that effect is not offered."""


@dataclass(frozen=True, eq=False)
class Bench:
    """A clip on the bench.

    Attributes:
        clip: its first ``LONGEST`` seconds at the model's rate.
        cut: a sentence where there was more, else "".
        judged: the prediction of the clip as it is, as JSON.
    """

    clip: Audio
    cut: str
    judged: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A clip before and after.

    Attributes:
        bench: the clip as it is.
        samples: the changed clip, ``[channel, time]``.
        drawn: what was done, with every value.
        judged: the prediction of the changed clip, as JSON.
        notes: sentences on what a person may not expect.
    """

    bench: Bench
    samples: Samples
    drawn: DrawnChain
    judged: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...] = ()


class _Shelf:
    """The clips last opened, so that a slider's move need not decode and judge them again."""

    def __init__(self, places: int = 8) -> None:
        self.places = places
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Any, ...], Bench] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> Bench | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: tuple[Any, ...], bench: Bench) -> Bench:
        with self._lock:
            self._held[key] = bench
            while len(self._held) > self.places:
                self._held.popitem(last=False)
        return bench


_SHELF = _Shelf()


def open_clip(services: Services, path: str | Path) -> Bench:
    """Decode a clip, cut it to what is worked on, and judge it; the last few are remembered.

    Args:
        services: the model and the limits.
        path: the clip's file.

    Raises:
        SerError: the clip can't be used; the message is fit for the page.
    """
    from ui.analysis import read

    recognizer = services.serving.recognizer
    file = Path(path)
    try:
        found = file.stat()
    except OSError as error:
        raise AugmentError(
            f"{shown(file.name)} is no longer on the server. Upload or record it again."
        ) from error
    version = (str(recognizer.folder), recognizer.version)
    key = (str(file), found.st_mtime_ns, found.st_size, *version)
    held = _SHELF.get(key)
    if held is not None:
        return held
    clip = read(services, file)
    most = round(LONGEST * clip.sample_rate)
    cut = ""
    if clip.samples.shape[1] > most:
        cut = (
            f"The recording is {duration(clip.seconds)} long; "
            f"its first {LONGEST:.0f} s are used here."
        )
        part = np.ascontiguousarray(clip.samples[:, :most])
        clip = Audio(part, clip.sample_rate, clip.source_rate, clip.name, clip.sha256, clip.notes)
    return _SHELF.put(key, Bench(clip, cut, recognizer.predict(clip).to_json()))


def change(services: Services, path: str | Path, recipe: Any, seed: int) -> Outcome:
    """Apply a recipe to a clip and judge what comes out.

    Args:
        services: the model and the folder of noises.
        path: the clip's file.
        recipe: as ``Chain.from_json`` takes it.
        seed: what is left open in the recipe is drawn from it, 0 to 2**32 - 1.

    Raises:
        SerError: the clip, the recipe or the seed can't be used.
    """
    bench = open_clip(services, path)
    chain = Chain.from_json(recipe, noises(services.home / NOISES))
    clip = bench.clip
    drawn = chain.draw(np.random.default_rng(seed), clip.samples, clip.sample_rate)
    samples = drawn.apply(clip.samples, clip.sample_rate)
    judged = judge(services.serving.recognizer, clip, samples, drawn)
    return Outcome(bench, samples, drawn, judged, _notes(bench, samples, drawn, chain))


def judge(
    recognizer: Recognizer, clip: Audio, samples: Samples, drawn: DrawnChain
) -> dict[str, Any]:
    """Return the prediction of changed samples; masks are laid over what the model sees."""
    changed = Audio(samples, clip.sample_rate, clip.source_rate, clip.name)
    said = recognizer.predict(changed).to_json()
    masked = any(step.effect.kind == "feature" for step in drawn.steps)
    if masked and said["emotion"] is not None:
        row = masked_probabilities(recognizer, samples, drawn)
        top = int(np.argmax(row))
        said["probabilities"] = dict(zip(recognizer.emotions, row.tolist(), strict=True))
        said["emotion"], said["confidence"] = recognizer.emotions[top], float(row[top])
    return said


def masked_probabilities(
    recognizer: Recognizer, samples: Samples, drawn: DrawnChain
) -> npt.NDArray[np.float64]:
    """Return probabilities ``[emotion]`` with the chain's effects on feature maps applied.

    Each of the model's windows is masked for itself, as in training.

    Args:
        recognizer: the model.
        samples: ``[channel, time]``, the waveform effects already applied.
        drawn: the chain.
    """
    import torch

    from ser_core.frontends import FeatureMap
    from ser_core.recognizer import window_starts

    window = recognizer.specification.samples
    rows = []
    for start in window_starts(samples.shape[1], window, window // 2):
        seen = recognizer.features(samples[:, start : start + window])
        masked = drawn.apply_features(seen.values[0], int(seen.lengths[0]))[None]
        device = recognizer.device
        with torch.inference_mode():
            found = recognizer.model.backbone(
                FeatureMap(masked.to(device), seen.lengths.to(device))
            )
        rows.append(found[0].double().cpu().numpy())
    shares: npt.NDArray[np.float64] = recognizer.calibration.probabilities(np.mean(rows, axis=0))
    return shares


def noises(folder: Path) -> NoiseFolder | None:
    """Return the folder of background recordings, or None where there is none."""
    if not folder.is_dir():
        return None
    return _noises(folder, folder.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _noises(folder: Path, stamp: int) -> NoiseFolder | None:
    try:
        return NoiseFolder(folder)
    except AugmentError:  # nothing in it yet: the effect is not offered
        return None


def table(home: Path) -> list[dict[str, Any]]:
    """Return every effect with its sliders, as the page's editor needs them.

    Args:
        home: where a folder of background recordings may be.
    """
    offered = noises(home / NOISES) is not None
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
        said = json.loads(text) if isinstance(text, str) and text else {}
    except (ValueError, RecursionError) as error:
        raise AugmentError(f"What the page sent is no JSON ({error}). Reload the page.") from error
    if not isinstance(said, dict):
        raise AugmentError("What the page sent is no recipe with a seed. Reload the page.")
    seed = said.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEEDS:
        raise AugmentError(
            f"The seed is {seed!r:.40}; a whole number from 0 to {SEEDS - 1} is expected."
        )
    return said.get("recipe", []), seed


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


def _notes(bench: Bench, samples: Samples, drawn: DrawnChain, chain: Chain) -> tuple[str, ...]:
    notes = [bench.cut] if bench.cut else []
    if not np.any(samples):
        notes.append(
            "The recipe leaves nothing of the clip: what comes out is silence. "
            "Make an effect weaker or remove it."
        )
    over = float(np.mean(np.abs(samples) > 1.0))
    if over > 0:
        notes.append(
            f"{_share(over)} of the augmented clip goes beyond full scale; the model hears it so, "
            "the loudspeaker plays it cut off."
        )
    left = len(chain.steps) - len(drawn.steps)
    if left:
        word = "step was" if left == 1 else "steps were"
        notes.append(f"{left} {word} left out in this draw; another seed may take what this left.")
    return tuple(notes)


def _share(value: float) -> str:
    return "Less than 0.1 %" if value < 0.001 else f"{value * 100:.1f} %"
