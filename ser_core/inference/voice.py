"""A speaker's own voice, from a few clips of their ordinary speech, to predict relative to it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from ser_core.audio import AUDIO_ENDINGS, Audio, quality
from ser_core.errors import SerError
from ser_core.inference.windows import SpeechActivity, detect_speech, plan_windows

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ser_core.checkpoints.model import Model
    from ser_core.checkpoints.specification import Specification
    from ser_core.inference.pipeline import Pipeline

WANTED = "Give 10 to 20 s of the speaker's ordinary speech."

LEAST_SECONDS = 1.5
"""Seconds of speech from which something can be told of a voice."""

NOISY_DB = 10.0
"""Speech that stands out of its noise by less tells more of the noise than of the voice."""

PIECE_SECONDS = 3.0
"""A long recording is taken in pieces of the length of a sentence, each of them a clip."""


@dataclass(frozen=True, eq=False)
class Voice:
    """What neutral clips tell of a speaker's voice.

    Attributes:
        offset: what the voice adds to the model's pooled state, ``[size]``.
        clips: pieces of speech that it was taken from.
        seconds: their length.
    """

    offset: Tensor
    clips: int
    seconds: float


class VoiceError(SerError):
    """Neutral speech that tells nothing of a voice."""


class NoVoicesError(VoiceError):
    """A model that takes no account of voices."""


class Listens(Protocol):
    """What is asked of a recognizer here."""

    @property
    def lock(self) -> Any: ...
    @property
    def version(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def specification(self) -> Specification: ...
    @property
    def model(self) -> Model: ...
    @property
    def device(self) -> torch.device: ...
    def load(self, source: Any) -> Audio: ...
    def pipeline(self) -> Pipeline: ...


def learn_voice(
    recognizer: Listens, sources: Sequence[Audio | str | Path | bytes | BinaryIO]
) -> Voice:
    """Return the voice of a speaker.

    Args:
        recognizer: the model that will predict.
        sources: clips of one speaker's ordinary speech, 10 to 20 s together; fewer tell less and
            change less.

    Raises:
        NoVoicesError: the model takes no account of voices.
        VoiceError: nobody speaks in the clips, or too short or in too much noise.
        AudioError: a clip can't be decoded.
    """
    import torch

    from ser_core.frontends.base import FeatureMap

    rate = recognizer.specification.sample_rate
    window = min(round(PIECE_SECONDS * rate), recognizer.specification.samples)
    pieces = []
    clips = [one if isinstance(one, Audio) else recognizer.load(one) for one in sources]
    activities = check_neutral(clips)
    for clip, activity in zip(clips, activities, strict=True):
        if activity.abstention is not None:
            continue
        trim = recognizer.specification.trim_silence
        plan = plan_windows(clip.samples.shape[1], activity, window=window, rate=rate, trim=trim)
        pieces += [
            clip.samples[:, first:end]
            for (first, end), judged in zip(plan.bounds, plan.judged, strict=True)
            if judged
        ]
    waveform, lengths = recognizer.pipeline().batch(pieces)
    model = recognizer.model
    with recognizer.lock, torch.inference_mode():
        features = model.features(
            torch.from_numpy(waveform).to(recognizer.device),
            torch.from_numpy(lengths).to(recognizer.device),
        )
        pooled = model.backbone.pooled(FeatureMap(*features))
        offset = model.backbone.voice_offset(pooled)
    if offset is None:
        raise NoVoicesError(
            f"{recognizer.name} {recognizer.version} takes no account of voices; choose the model "
            "“encoder”."
        )
    return Voice(offset, len(pieces), float(np.sum(lengths)) / rate)


def check_neutral(clips: Sequence[Audio]) -> list[SpeechActivity]:
    """Return where somebody speaks in neutral clips, if they can tell of a voice.

    Args:
        clips: of one speaker.

    Raises:
        VoiceError: no speech, too little of it, or too much noise.
    """
    found = [detect_speech(clip) for clip in clips]
    spoken = sum(end - start for one in found for start, end in one.segments)
    if not spoken:
        raise VoiceError(f"No speech was found in the neutral clips. {WANTED}")
    if spoken < LEAST_SECONDS:
        raise VoiceError(f"There are only {spoken:.1f} s of speech in the neutral clips. {WANTED}")
    spoken_in = [clip for clip, one in zip(clips, found, strict=True) if one.segments]
    above = float(np.median([quality.inspect(clip).noise_snr_db for clip in spoken_in]))
    if above < NOISY_DB:
        raise VoiceError(
            f"The voice stands only {above:.0f} dB above the noise around it; at least "
            f"{NOISY_DB:.0f} dB are needed. Record closer to the microphone, or in a quieter place."
        )
    return found


class NeutralTable:
    """Which neutral clips belong to the speaker of each file.

    Args:
        path: a CSV table with the columns ``Filename`` and ``neutral``. A file's name is its path
            from the table's folder, or its name alone; neutral is a file or a folder, from there
            too. Rows with an empty cell have none.

    Raises:
        VoiceError: the table can't be read, lacks a column, or names what is not there.
    """

    def __init__(self, path: str | Path) -> None:
        table = Path(path)
        try:
            with table.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise VoiceError(f"{table} can't be read as a CSV table: {error}.") from error
        if not rows or not {"Filename", "neutral"} <= set(rows[0]):
            raise VoiceError(f"{table} needs rows under the columns Filename and neutral.")
        self._by_path: dict[Path, tuple[Path, ...]] = {}
        self._by_name: dict[str, tuple[Path, ...]] = {}
        for number, row in enumerate(rows, 2):
            if row["neutral"] and row["Filename"]:
                clips = self._clips(table, number, row["neutral"])
                self._by_path[(table.parent / row["Filename"]).resolve()] = clips
                self._by_name[Path(row["Filename"]).name] = clips

    def _clips(self, table: Path, number: int, cell: str) -> tuple[Path, ...]:
        place = table.parent / cell
        if place.is_dir():
            clips = tuple(
                sorted(one for one in place.iterdir() if one.suffix.lower() in AUDIO_ENDINGS)
            )
        else:
            clips = (place,) if place.is_file() else ()
        if not clips:
            raise VoiceError(
                f"{table}, line {number}: {cell} is neither an audio file nor a folder with some."
            )
        return clips

    def get(self, file: Path) -> tuple[Path, ...] | None:
        """Return the neutral clips of a file's speaker, or None where the table has none."""
        return self._by_path.get(file.resolve()) or self._by_name.get(file.name)
