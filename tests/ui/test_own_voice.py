"""My voice: heard relative to it by a model that can, forgotten with the page."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from ui.analysis import analyse
from ui.catalogue import Source
from ui.clip_cache import make_ready
from ui.identity import Annotator, Identity
from ui.own_voice import OwnVoices
from ui.own_voice_panel import deleted, kept, learned, taken
from ui.page_html import answer
from ui.services import AppSettings, Services


@pytest.fixture
def both(tmp_path: Path, small_model: Path, small_encoder: Path) -> Services:
    """A studio whose own model knows no voices, beside an encoder that does."""
    shipped = tmp_path / "models"
    shutil.copytree(small_model, shipped / "default")
    shutil.copytree(small_encoder, shipped / "encoder")
    settings = AppSettings(
        home=tmp_path / "home", model=shipped / "default", shipped=shipped, device="cpu"
    )
    return Services(settings, Identity())


def copied(repository: Path, name: str, target: Path) -> str:
    """Return an upload of an example, which may be deleted."""
    return str(shutil.copy(next(repository.glob(f"examples/{name}_*.flac")), target))


def test_a_voice_changes_this_page_s_answers_until_it_is_forgotten(
    both: Services, repository: Path, tmp_path: Path
) -> None:
    upload = copied(repository, "1", tmp_path / "mine.flac")
    clip = next(repository.glob("examples/2_*.flac"))
    sound, status, switch, forget = learned(both, upload, "encoder", "page")
    assert sound is None
    assert "small-encoder now hears you relative to" in status
    assert (switch["visible"], forget["visible"]) == (False, True)
    assert not Path(upload).exists()  # the voice is kept in memory alone
    plain = analyse(both, clip, recognizer=both.recognizer("encoder", "another page"))
    mine = analyse(both, clip, recognizer=both.recognizer("encoder", "page"))
    assert mine.prediction.probabilities != plain.prediction.probabilities
    assert "relative to your voice" in answer(mine.held.prediction)
    assert "relative to your voice" not in answer(plain.held.prediction)
    assert "s of neutral speech" in json.dumps(mine.held.prediction)
    assert both.recognizer("encoder", "page") is both.recognizer("encoder", "page")
    both.own_voices.forget("page")
    assert both.recognizer("encoder", "page") is both.recognizer("encoder")


def test_a_model_that_cannot_use_it_says_so_and_another_may_be_chosen(
    both: Services, repository: Path, tmp_path: Path
) -> None:
    upload = copied(repository, "1", tmp_path / "mine.flac")
    _, status, switch, _ = learned(both, upload, "", "page")
    assert "small can&#x27;t use it" in status
    assert switch["visible"]
    assert both.recognizer("", "page") is both.recognizer()
    assert both.recognizer("encoder", "page") is not both.recognizer("encoder")


def test_what_tells_nothing_leaves_the_voice_that_was_there(
    both: Services, repository: Path, tmp_path: Path
) -> None:
    learned(both, copied(repository, "1", tmp_path / "mine.flac"), "encoder", "page")
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    _, status, _, forget = learned(both, str(text), "encoder", "page")
    assert "refused" in status
    assert "text.wav" in status
    assert forget["visible"]


def test_voices_do_not_pile_up(both: Services, repository: Path) -> None:
    voices = OwnVoices(most=2)
    recognizer = both.recognizer()
    clip = recognizer.load(next(repository.glob("examples/1_*.flac")))
    for page in "abc":
        voices.learn(page, clip, recognizer)
    assert [voices.knows(page) for page in "abc"] == [False, True, True]


def test_a_voice_is_kept_for_a_named_speaker_when_asked_and_deleted(
    both: Services, repository: Path, tmp_path: Path
) -> None:
    me, stranger = Annotator("me", may_write=True), Annotator("", reason="Sign in first.")
    assert "no voice to keep" in kept(both, "corpus/7", "page", me)
    learned(both, copied(repository, "1", tmp_path / "mine.flac"), "encoder", "page")
    assert "Sign in first" in kept(both, "corpus/7", "page", stranger)
    assert both.kept_voices.all() == []
    assert "Kept as corpus/7" in kept(both, " corpus/7 ", "page", me)
    # What a clip of that speaker is suggested to be is relative to the voice.
    clip = next(repository.glob("examples/2_*.flac"))
    ours = Source("corpus", clip.name, clip, speaker="7")
    theirs = Source("corpus", clip.name, clip, speaker="8")
    sha = hashlib.sha256(clip.read_bytes()).hexdigest()
    own, other = (make_ready(both, sha, one, "encoder").prediction for one in (ours, theirs))
    assert own is not None
    assert other is not None
    assert "relative_to" in own["model"]
    assert own["probabilities"] != other["probabilities"]
    both.own_voices.forget("page")
    assert "Kept are: corpus/7" in taken(both, "nobody", "encoder", "page", me)[1]
    assert "now hears you" in taken(both, "corpus/7", "encoder", "page", me)[1]
    assert "Sign in first" in deleted(both, "corpus/7", stranger)
    assert "Deleted" in deleted(both, "corpus/7", me)
    assert not list((both.home / "voices").iterdir())
