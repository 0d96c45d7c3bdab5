"""What is trained and tested on a split of a corpus: a head, a model by its recipes, or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.checkpoint import Checkpoint
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.frontends.encoder import DEFAULT_SOURCE
from ser_core.home import Home
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.torch_runtime import TorchRuntime
from trainer.data.batches import Example, data_hash
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings, logits_of_states
from trainer.data.prepare import Prepared
from trainer.evaluation.inference import BATCH, predict_examples
from trainer.experiments.out_of_fold_head import head_of, trained_by
from trainer.presets import preset, with_encoder
from trainer.settings_file import read_toml
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

Logits = npt.NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[2]
Sides = Mapping[str, Sequence[Example]]


class Learner(Protocol):
    """Learns from one side of a split, and says what it hears in another.

    Attributes:
        emotions: of its model; () = those of the corpus.
        trim: whether silent ends are left out of what it learns from.
        name: of its rows in the table.
        about: a sentence for the table.
    """

    emotions: tuple[str, ...]
    trim: bool
    name: str
    about: str

    def logits(
        self, sides: Sides, emotions: tuple[str, ...], decoded: DecodedClips, name: str
    ) -> Logits:
        """Return the logits of the test side, ``[clip, emotion]``.

        Args:
            sides: the clips by side.
            emotions: of their labels.
            decoded: where they are.
            name: of this part of the split, for what is kept.
        """
        ...


class Heads:
    """A head of its own for each split, on a front that learned from none of these speakers.

    Args:
        held: the checkpoint.
        decoded: where the clips are.
    """

    def __init__(self, held: Checkpoint, decoded: DecodedClips) -> None:
        self.held, self.settings = held, trained_by(held)
        self.emotions, self.trim = held.specification.emotions, held.specification.trim_silence
        self.embeddings = Embeddings(
            held.model, held.specification, decoded, recipe=self.settings.augment
        )
        self.name = f"{held.specification.name}, {held.specification.version}"
        self.about = f"{self.name}: the front, with a head of its own for each row."

    def logits(
        self, sides: Sides, emotions: tuple[str, ...], decoded: DecodedClips, name: str
    ) -> Logits:
        """Return the logits of the test side by a head that learned from the others."""
        ours = {side: list(items) for side, items in sides.items()}
        prepared = Prepared(emotions, ours | {"test": []}, decoded)
        quiet = Callbacks(log=lambda line: None)
        model = head_of(self.held, prepared, self.settings, self.embeddings, quiet)
        return logits_of_states(model, self.embeddings.of(sides["test"]))


class Recipes:
    """A model of its own for each split, trained by recipes one after the other.

    Args:
        recipes: settings files; each goes on from the model that the one before made.
        home: SER_HOME; the models are kept in its cache.
        encoder: of a recipe that begins with a pretrained one.
        epoch_clips: clips an epoch of the last recipe; 0 = as it says.
        log: is told of the steps.
    """

    emotions: tuple[str, ...] = ()

    def __init__(
        self,
        recipes: Sequence[Path],
        home: Path,
        *,
        encoder: str = DEFAULT_SOURCE,
        epoch_clips: int = 0,
        log: Callable[[str], None] = print,
    ) -> None:
        self.settings = []
        for path in recipes:
            values = read_toml(path)
            settings = preset(values.pop("preset", "default")).with_values(values, str(path))
            self.settings.append(
                with_encoder(settings, encoder) if settings.frontend == "encoder" else settings
            )
        if epoch_clips:
            self.settings[-1] = dataclasses.replace(self.settings[-1], epoch_clips=epoch_clips)
        self.trim = self.settings[0].trim_silence
        self.folder = Home(home).cache / "published"
        self.cache, self.log = Home(home).decoded, log
        last = self.settings[-1]
        self.name = ", then ".join(path.name for path in recipes)
        self.about = (
            f"{self.name}: a model of its own for each row, from its training speakers alone "
            f"({last.epochs} epochs of {last.epoch_clips} clips in the last part)."
        )

    def logits(
        self, sides: Sides, emotions: tuple[str, ...], decoded: DecodedClips, name: str
    ) -> Logits:
        """Return the logits of the test side by a model that learned from the others."""
        ours = {side: list(items) for side, items in sides.items()}
        test, prepared = ours["test"], Prepared(emotions, ours | {"test": []}, decoded)
        words = json.dumps([[one.identity() for one in self.settings], data_hash(ours)])
        kept = self.folder / f"{name}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
        start = ""
        for number, settings in enumerate(self.settings):
            folder = kept / str(number)
            if not (folder / checkpoint.SPECIFICATION).exists():
                fit(
                    dataclasses.replace(settings, start=start),
                    folder,
                    kept / f"run-{number}",
                    self.cache,
                    prepared=prepared,
                    progress=Callbacks(log=self.log),
                )
            start = str(folder)
        return asked(checkpoint.load(start), test, decoded)


class AsShipped:
    """A checkpoint as it is, asked about speakers that it never met.

    Args:
        held: the checkpoint.
    """

    def __init__(self, held: Checkpoint) -> None:
        self.held = held
        self.emotions, self.trim = held.specification.emotions, held.specification.trim_silence
        self.name = f"{held.specification.name} {held.specification.version}, as shipped"
        self.about = (
            f"{self.name}: it met most of these speakers in its training, and is asked about those "
            "on its test side alone."
        )

    def logits(
        self, sides: Sides, emotions: tuple[str, ...], decoded: DecodedClips, name: str
    ) -> Logits:
        """Return the logits of the test side."""
        return asked(self.held, sides["test"], decoded)


def asked(held: Checkpoint, items: Sequence[Example], decoded: DecodedClips) -> Logits:
    """Return what a checkpoint says of clips, ``[clip, emotion]``."""
    pipeline = Pipeline(held.specification, TorchRuntime(held.model), batch_size=BATCH)
    found = predict_examples(pipeline, held.calibration, list(items), decoded).logits
    assert found is not None
    return found


def frozen(encoder: str) -> Checkpoint:
    """Return a model around a pretrained encoder by the settings of ``models/encoder.toml``.

    Args:
        encoder: its name on the Hub, or a local folder.
    """
    values = read_toml(ROOT / "models" / "encoder.toml")
    name = values.pop("preset")
    settings = with_encoder(preset(name).with_values(values), encoder)
    emotions = checkpoint.describe(ROOT / "models" / "encoder").specification.emotions
    specification = Specification(
        frontend=settings.frontend,
        frontend_parameters=settings.frontend_arguments(),
        backbone=settings.backbone,
        backbone_parameters=dict(settings.backbone_parameters),
        emotions=emotions,
        seconds=settings.seconds,
        trim_silence=settings.trim_silence,
        normalisation={"kind": settings.normalisation},
        name=Path(encoder).name,
        version="frozen",
    )
    model = build(specification)
    specification = dataclasses.replace(
        specification, frontend_parameters=model.frontend.parameters_json()
    )
    metrics = {"settings": settings.to_json()}
    return Checkpoint(Path(encoder), model, specification, Calibration(), metrics, "")
