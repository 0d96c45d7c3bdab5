"""Clips are scored without and with the voice of their speaker, the same ones each time."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.corpora.clip import Clip
from ser_core.inference.recognizer import Recognizer
from trainer.data.decoded import DecodedClips
from trainer.evaluation.evaluate import VoiceScore
from trainer.evaluation.voices import voice_scores
from trainer.reporting.report_tables import voices_table

EMOTIONS = ("anger", "joy", "neutral")
RATE = 16_000


def recognizer(folder: Path, backbone: str, *, met: bool = False) -> Recognizer:
    """A small model with drawn weights; ``met``: it has met voices."""
    torch.manual_seed(0)
    words = Specification(
        frontend_parameters={"n_mels": 16, "hop_length": 512},
        backbone=backbone,
        emotions=EMOTIONS,
        seconds=1.0,
    )
    model = build(words).eval()
    if met:
        voices = torch.randn(10, 1, 32)
        within = 0.2 * torch.randn(10, 5, 32)
        model.backbone.fit_voices((voices + within).flatten(0, 1), [str(i // 5) for i in range(50)])
    return Recognizer(checkpoint.save(folder, model, words, Calibration(), {}, "card"), "cpu")


@pytest.fixture(scope="module")
def clips(speech: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Two speakers with neutral speech, one of them in two corpora, and one without."""
    root, rng = tmp_path_factory.mktemp("voices"), np.random.default_rng(1)
    made = []
    for corpus, speaker, emotions in (
        ("a", "ada", "anger joy neutral neutral neutral"),
        ("a", "ben", "anger joy neutral"),
        ("a", "eve", "anger joy joy"),
        ("a_song", "ada", "anger neutral"),
    ):
        for number, emotion in enumerate(emotions.split()):
            path = root / f"{corpus}-{speaker}-{number}.wav"
            soundfile.write(path, speech.tone(rng.uniform(100, 900), 0.5, rng), RATE)
            made.append(Clip(path, corpus, path.stem, emotion, speaker=speaker, family="a"))
    return made


def test_who_has_no_other_neutral_speech_is_left_out(clips: list[Clip], tmp_path: Path) -> None:
    decoded = DecodedClips(tmp_path / "decoded")
    spoken, sung = voice_scores(
        recognizer(tmp_path / "model", "layer_pooling", met=True), clips, decoded
    )
    # Ben's only neutral clip can't tell of his voice when it is itself in question.
    assert (spoken.corpus, spoken.clips, spoken.speakers) == ("a", 7, 2)
    # Sung neutral clips are scored, and say nothing of how their singer speaks.
    assert (sung.corpus, sung.clips, sung.speakers) == ("a_song", 2, 1)
    assert all(0 <= value <= 1 for one in (spoken, sung) for value in (one.without, one.known))


def test_a_model_that_never_met_voices_answers_alike(clips: list[Clip], tmp_path: Path) -> None:
    decoded = DecodedClips(tmp_path / "decoded")
    found = voice_scores(recognizer(tmp_path / "model", "layer_pooling"), clips, decoded)
    assert [one.known for one in found] == [one.without for one in found]
    assert voice_scores(recognizer(tmp_path / "other", "cnn"), clips, decoded) == ()


def test_the_means_stand_above_their_corpora() -> None:
    shown = voices_table(
        (
            VoiceScore("a", False, 10, 2, 0.5, 0.6),
            VoiceScore("b", False, 10, 1, 0.7, 0.7),
            VoiceScore("c", True, 5, 1, 0.4, 0.3),
        )
    )
    assert [row[:4] for row in shown.rows] == [
        ("**mean of the corpora**", "0.600", "0.650", "+0.050"),
        ("a", "0.500", "0.600", "+0.100"),
        ("b", "0.700", "0.700", "+0.000"),
        ("**mean, unseen corpora**", "0.400", "0.300", "-0.100"),
        ("c", "0.400", "0.300", "-0.100"),
    ]
