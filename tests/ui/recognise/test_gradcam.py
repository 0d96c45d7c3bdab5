"""Another emotion is looked for without judging, decoding or drawing the clip again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.inference.recognizer import Recognizer
from ui.analysis import analyse
from ui.errors import PageError
from ui.recognise import gradcam
from ui.recognise.gradcam import GradCamCache
from ui.services import Services


def heats(figure: object) -> list[object]:
    return [trace for trace in figure.data if trace.type == "heatmap"][1:]


@pytest.fixture
def held(services: Services, clip: Path) -> tuple[GradCamCache, gradcam.CurrentClip]:
    looks, found = GradCamCache(services), analyse(services, clip)
    looks.keep(found)
    return looks, found.held


def test_a_second_emotion_needs_neither_prediction_nor_decoding(
    held: tuple[GradCamCache, gradcam.CurrentClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, clip = held
    first = looks.look(clip, "anger")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("this was done before")

    monkeypatch.setattr(Recognizer, "predict", never)
    monkeypatch.setattr(Recognizer, "windows", never)
    monkeypatch.setattr(gradcam, "read", never)
    other = looks.look(clip, "joy")
    assert len(heats(first)) == len(heats(other)) == 1
    assert not np.array_equal(heats(first)[0].z, heats(other)[0].z)
    monkeypatch.setattr("ser_core.inference.explain.gradcam", never)
    again = looks.look(clip, "anger")
    assert np.array_equal(heats(first)[0].z, heats(again)[0].z)
    assert heats(looks.look(clip, None)) == []


def test_the_overlay_lies_on_the_spectrogram(
    held: tuple[GradCamCache, gradcam.CurrentClip],
) -> None:
    looks, clip = held
    shown = looks.look(clip, "joy")
    mel, laid = (trace for trace in shown.data if trace.type == "heatmap")
    assert (mel.xaxis, mel.yaxis) == (laid.xaxis, laid.yaxis)
    width = laid.dx * len(laid.z[0])
    assert width == pytest.approx(clip.prediction["seconds"], rel=1e-3)


def test_what_was_let_go_is_worked_out_again_and_a_gone_clip_gets_a_sentence(
    services: Services, clip: Path
) -> None:
    looks, found = GradCamCache(services, room=1), analyse(services, clip)
    assert len(heats(looks.look(found.held, "joy"))) == 1
    clip.unlink()
    assert len(heats(looks.look(found.held, "joy"))) == 1
    with pytest.raises(PageError, match="Upload it again"):
        GradCamCache(services).look(found.held, "joy")
    with pytest.raises(PageError, match="no clip"):
        looks.look(None, "joy")
