"""An emotion that a model lacks gets an output, once there are enough labels of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from label_store.consensus import ConsensusLabel, consensus
from label_store.event import LabelEvent
from label_store.store import LabelStore
from ser_core.audio import Audio
from ser_core.errors import SpecificationError
from ser_core.inference.recognizer import Recognizer
from trainer.data.labelled_clips import session_of
from trainer.data.new_emotions import new_emotions
from trainer.training.widen import widen


def test_a_wider_model_answers_as_before_until_it_learns(small_model: Path, tmp_path: Path) -> None:
    folder = widen(small_model, ["boredom", "joy"], tmp_path / "wide")
    old, new = Recognizer(small_model), Recognizer(folder)
    assert new.emotions == ("anger", "boredom", "joy", "neutral", "sadness")
    time = np.arange(32_000) / 16_000
    buzz = 0.3 * np.sign(np.sin(2 * np.pi * 140 * time)) * np.sin(2 * np.pi * 2.5 * time) ** 2
    clip = Audio(buzz[None].astype(np.float32), 16_000, 16_000)
    logits = [one.runtime(*one.pipeline().batch([clip.samples])) for one in (old, new)]
    kept = [new.emotions.index(emotion) for emotion in old.emotions]
    assert logits[1][:, kept] == pytest.approx(logits[0], abs=1e-4)
    assert float(logits[1][0, 1]) == pytest.approx(-15, abs=1e-4)
    with pytest.raises(SpecificationError, match="envy is none of anger, boredom"):
        widen(small_model, ["envy"], tmp_path / "no")


def labels(store: LabelStore, emotion: str, count: int, sessions: int) -> list[ConsensusLabel]:
    for number in range(count):
        clip = store.keep_clip(f"{emotion} {number}".encode(), ".wav")
        store.append(
            LabelEvent(
                action="label",
                annotator="ada",
                clip=clip,
                session=f"s{number % sessions}",
                file_name=f"mine-{emotion}-{number}.wav",
                emotion=emotion,
            )
        )
    return list(consensus(store, None).labels)


def test_enough_labels_are_ten_by_two_and_the_others_are_counted(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    for emotion, count, sessions in (("boredom", 10, 2), ("calm", 9, 3), ("fear", 12, 1)):
        labels(store, emotion, count, sessions)
    held = labels(store, "joy", 1, 1)
    found = new_emotions(held, ("anger", "joy"), lambda clip: session_of(store, clip))
    assert [(one.emotion, one.labels, one.speakers, one.enough) for one in found] == [
        ("boredom", 10, 2, True),
        ("calm", 9, 3, False),
        ("fear", 12, 1, False),
    ]
    assert str(found[0]).endswith("the model gets an output for it")
    assert "9 labels of calm by 3 speakers or sessions: the model has no output" in str(found[1])
