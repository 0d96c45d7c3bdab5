"""What the Augment tab does with a clip: honest before and after, whatever comes."""

from __future__ import annotations

import json
import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from ser_core.augment import EFFECTS, FEATURE_EFFECTS, RECIPES, Chain, noises
from ser_core.errors import AudioError, AugmentError
from ui import working_clip
from ui.augment import html, session
from ui.augment.figures import comparison, pair
from ui.services import Services


@pytest.fixture
def spoken(repository: Path) -> Path:
    """A shipped clip of speech."""
    return repository / "examples" / "2_lively.flac"


def write(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    path.write_bytes(to_wav_bytes(samples, rate))
    return path


def test_no_effect_changes_nothing(services: Services, spoken: Path) -> None:
    found = session.change(services, spoken, [], 0)
    assert np.array_equal(found.samples, found.original.clip.samples)
    assert found.prediction["probabilities"] == pytest.approx(
        found.original.prediction["probabilities"]
    )
    recognizer = services.serving.recognizer
    change = pair(recognizer, found.original.clip.samples, found.samples, 16_000, found.drawn)[2]
    assert np.unique(change).tolist() == [128]


def test_same_seed_same_sound_and_another_seed_another(services: Services, spoken: Path) -> None:
    first, again, other = (
        session.change(services, spoken, RECIPES["noisy street"], seed).samples
        for seed in (5, 5, 6)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_the_recipe_that_was_drawn_gives_the_same_sound(services: Services, spoken: Path) -> None:
    found = session.change(services, spoken, RECIPES["baseline"], 3)
    again = session.change(services, spoken, found.drawn.to_json(), 99)
    assert again.samples.tobytes() == found.samples.tobytes()


def test_a_shift_by_the_whole_clip_is_said_to_leave_nothing(
    services: Services, spoken: Path
) -> None:
    found = session.change(services, spoken, [{"name": "shift", "shift": 1.0}], 0)
    assert found.prediction["emotion"] is None
    assert any("leaves nothing" in note for note in found.notes)
    card = html.comparison(found.original.prediction, found.prediction, found.notes)
    assert "no answer" in card
    assert "now it gives no answer" in card


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("effect", session.table(Path("nowhere")), ids=lambda one: one["name"])
def test_every_slider_at_its_end_gives_an_answer_or_a_sentence(
    services: Services, spoken: Path, effect: dict[str, Any], end: str
) -> None:
    step = {"name": effect["name"]} | {one["name"]: one[end] for one in effect["parameters"]}
    found = session.change(services, spoken, [step], 0)
    assert np.isfinite(found.samples).all()
    assert html.comparison(found.original.prediction, found.prediction, found.notes)
    assert json.loads(html.sound(found.samples, 16_000, "B"))["words"]
    figure = comparison(
        services.serving.recognizer, found.original.clip.samples, found.samples, 16_000, found.drawn
    )
    assert len(figure.data) == 5


def test_a_mask_is_seen_and_judged_but_not_heard(services: Services, spoken: Path) -> None:
    recipe = [{"name": "time_mask", "width": 0.5, "count": 3}]
    found = session.change(services, spoken, recipe, 1)
    clip = found.original.clip
    assert np.array_equal(found.samples, clip.samples)
    _, _, change, _ = pair(
        services.serving.recognizer, clip.samples, found.samples, 16_000, found.drawn
    )
    assert (change != 128).mean() > 0.2
    assert found.prediction["probabilities"] != pytest.approx(
        found.original.prediction["probabilities"]
    )


def test_a_longer_clip_is_drawn_on_one_axis(services: Services, spoken: Path) -> None:
    found = session.change(services, spoken, [{"name": "speed", "factor": 0.5}], 0)
    clip = found.original.clip
    assert found.samples.shape[1] == pytest.approx(2 * clip.samples.shape[1], rel=0.01)
    figure = comparison(services.serving.recognizer, clip.samples, found.samples, 16_000)
    assert figure.layout.xaxis.range[1] == pytest.approx(2 * clip.seconds, rel=0.01)
    assert len(figure.to_json()) < 400_000


def test_a_long_recording_is_cut_and_said_so(services: Services, tmp_path: Path) -> None:
    tone = 0.1 * np.sin(np.arange(95 * 8000) / 9).astype(np.float32)[None]
    found = session.change(services, write(tmp_path / "long.wav", tone, 8000), [], 0)
    assert found.original.clip.seconds == working_clip.LONGEST
    assert any("1 min 35 s long" in note and "first 30 s" in note for note in found.notes)


def test_stereo_with_one_silent_channel_keeps_both_and_warns(
    services: Services, spoken: Path, tmp_path: Path
) -> None:
    left = working_clip.open_clip(services, spoken).clip.samples[0]
    both = write(tmp_path / "half.wav", np.stack([left, np.zeros_like(left)]))
    found = session.change(services, both, [{"name": "reverb"}], 0)
    assert found.samples.shape[0] == 2
    assert not found.samples[1].any()
    assert any("Channel 2 of 2 is silent" in text for text in found.prediction["warnings"])


def test_a_clip_that_has_gone_is_one_sentence(services: Services, tmp_path: Path) -> None:
    with pytest.raises(AugmentError, match="no longer on the server"):
        working_clip.open_clip(services, tmp_path / "gone.wav")


def test_a_file_that_is_no_sound_is_one_sentence(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "letter.wav"
    path.write_text("Dear Sir or Madam")
    with pytest.raises(AudioError, match="not a sound file"):
        working_clip.open_clip(services, path)


def test_background_noise_is_offered_only_with_a_folder(tmp_path: Path) -> None:
    names = [one["name"] for one in session.table(tmp_path)]
    assert names == [n for n in (*EFFECTS, *FEATURE_EFFECTS) if n != "background_noise"]
    (tmp_path / "noises").mkdir()
    assert "background_noise" not in [one["name"] for one in session.table(tmp_path)]
    write(tmp_path / "noises" / "street.wav", np.full((1, 800), 0.1, np.float32))
    (tmp_path / "noises").touch()
    noises._noises_in.cache_clear()
    assert "background_noise" in [one["name"] for one in session.table(tmp_path)]


def test_the_table_starts_every_effect_within_its_sliders() -> None:
    for effect in session.table(Path("nowhere")):
        Chain.from_json([effect["start"]])
        for one in effect["parameters"]:
            assert one["low"] <= effect["start"][one["name"]] <= one["high"]


def test_a_pasted_recipe_is_written_out_or_refused() -> None:
    pasted = json.dumps({"recipe": '[{"name": "AddGaussianSNR", "min_snr": 5, "max_snr": 9}]'})
    step = json.loads(session.adopt(pasted))["recipe"][0]
    assert step == {"name": "gaussian_noise", "snr": [5, 9], "p": 1.0}
    with pytest.raises(AugmentError, match="Did you mean “reverb”"):
        session.adopt(json.dumps({"recipe": '[{"name": "revreb"}]'}))
    with pytest.raises(AugmentError, match="neither JSON"):
        session.adopt(json.dumps({"recipe": "[{"}))


@pytest.mark.parametrize("text", ["[1]", "{", '{"seed": -1}', '{"seed": 1.5}', '{"seed": true}'])
def test_what_no_editor_sends_is_refused(text: str) -> None:
    with pytest.raises(AugmentError):
        session.parse(text)


def test_the_player_gets_the_level_as_it_is() -> None:
    held = json.loads(html.sound(np.full((1, 160), 0.05, np.float32), 16_000, "A"))
    import base64

    with wave.open(BytesIO(base64.b64decode(held["sound"].split(",")[1]))) as file:
        values = np.frombuffer(file.readframes(160), "<i2")
    assert values.tolist() == [1638] * 160
    assert held["dbfs"] == pytest.approx(-26.02, abs=0.01)


def test_the_verdict_names_a_flip_and_rounds_the_change() -> None:
    joy = {"emotion": "joy", "probabilities": {"joy": 0.6, "fear": 0.4}}
    fear = {"emotion": "fear", "probabilities": {"joy": 0.4, "fear": 0.6}}
    none = {"emotion": None, "probabilities": {"joy": 0.5, "fear": 0.5}}
    assert html.verdict(joy, fear) == "The answer flips from joy to fear."
    assert html.verdict(joy, joy) == "The answer stays joy, as likely as before."
    assert "gives no answer" in html.verdict(joy, none)
    assert "nothing can be compared" in html.verdict(none, joy)


def test_names_in_a_card_are_escaped() -> None:
    joy = {
        "emotion": "joy",
        "confidence": 0.6,
        "unsure": "<b>x</b>",
        "warnings": [],
        "probabilities": {"joy": 0.6, "fear": 0.4},
    }
    card = html.comparison(joy, joy, ["<script>"])
    assert "<script>" not in card
    assert "&lt;b&gt;x" in card
