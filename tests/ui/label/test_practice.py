"""The practice round while labelling: gold clips first and blind, with feedback, then the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.context import LocalContext

from label_store.annotators import Practice, write_annotator_settings
from label_store.gold import GoldClip, mark
from label_store.trust import who_counts
from tests.ui.label.test_session import ADA, BOB, QuickShelf, corpus
from ui.label.displayed import DisplayedClip, LabelDecision
from ui.label.html import card
from ui.label.offline import OfflineLabels
from ui.label.outputs import decided, undone, view
from ui.label.practice import ROUND
from ui.label.session import LabelSession
from ui.services import AppSettings, Services


@pytest.fixture
def labelling(tmp_path: Path) -> LabelSession:
    corpus(tmp_path / "home")
    services = Services(AppSettings(home=tmp_path / "home"))
    made = LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))
    made.queue()
    return made


def ask(labelling: LabelSession, clips: int = 3, share: float = 0.6, by: str = "") -> list[str]:
    """Let the first clips be gold, known to be fear, and ask for practice; return them."""
    gold = sorted(labelling.pool.sources)[:clips]
    names = labelling.pool.sources
    mark(
        labelling.services.store,
        [GoldClip(clip, "fear", names[clip].name, names[clip].corpus, by) for clip in gold],
    )
    store = labelling.services.store
    practice = Practice(clips, share, store.revision)
    write_annotator_settings(store.folder, None, 0.0, by="eve", practice=practice)
    return gold


def opened(labelling: LabelSession, session: str = "s") -> DisplayedClip:
    found = labelling.open(ADA, session, blind=False)
    assert found is not None
    return found


def press(labelling: LabelSession, emotion: str, action: str = "label") -> tuple[str, str]:
    """Decide on the clip on the page; return the card and the status line that follow."""
    choice = LabelDecision(opened(labelling).ticket, action, emotion)
    found = decided(labelling, ADA, "s", choice, blind=False)
    return str(found[0]), str(found[1])


def test_gold_clips_come_first_and_blind_whatever_the_page_asks_for(
    labelling: LabelSession,
) -> None:
    gold = ask(labelling)
    shown = opened(labelling)
    assert shown.sha in gold
    assert (shown.why, shown.blind, shown.visible) == (ROUND, True, False)
    text = card(shown, ADA)
    assert shown.source.name not in text
    assert "Practice round: 3 clips whose emotion is known" in text
    assert "60 % of the answers are right" in text
    assert "prediction is hidden" in press(labelling, "", "confirm")[1]
    assert OfflineLabels(labelling).ahead(ADA, [], blind=False) == []


def test_each_answer_is_followed_by_the_known_emotion_and_its_sound(
    labelling: LabelSession,
) -> None:
    gold = ask(labelling)
    seen = [opened(labelling).sha]
    text, status = press(labelling, "fear")
    assert "Right: it is known to be fear." in status
    assert "Practice round: 1 of 3, 100 % right; 60 % have to be." in text
    assert text.count("<audio") == 2
    assert "Hear that clip again" in text
    seen.append(opened(labelling).sha)
    text, status = press(labelling, "joy")
    assert "It is known to be fear; you chose joy." in status
    assert "outcome wrong" in text
    assert "2 of 3, 50 % right" in text
    seen.append(opened(labelling).sha)
    assert sorted(seen) == gold
    text, status = press(labelling, "fear")
    assert "You passed the practice round, 2 of 3 right." in status
    assert "Your labels count from now on." in text
    after = opened(labelling)
    assert after.sha not in gold
    assert (after.why == ROUND, after.blind) == (False, False)
    press(labelling, "joy")
    assert "practice-round" not in card(opened(labelling), ADA)


def test_nothing_before_passing_counts_and_the_page_says_why(labelling: LabelSession) -> None:
    ask(labelling)
    store = labelling.services.store
    press(labelling, "fear")
    standing = labelling.services.standing.read()
    assert (standing.trains, standing.total) == (0, 1)
    assert list(standing.left_out) == ["made before its annotator passed the practice round"]
    assert not who_counts(store).counts_from_now("ada")
    press(labelling, "fear")
    press(labelling, "fear")
    assert who_counts(store).counts_from_now("ada")
    saved = press(labelling, "joy")[1]
    assert "It will not train: made before" not in saved
    standing = labelling.services.standing.read()
    assert len(standing.left_out["made before its annotator passed the practice round"]) == 3
    assert [event.action for event in store.events()] == [*["label"] * 3, "pass", "label"]


def test_who_fails_goes_on_with_the_gold_clips_answered_longest_ago(
    labelling: LabelSession,
) -> None:
    ask(labelling, share=1.0)
    order = []
    for emotion in ("joy", "joy", "joy"):
        order.append(opened(labelling).sha)
        text, _ = press(labelling, emotion)
    assert "0 % of your last 3 answers are right" in text
    for _ in range(3):
        order.append(opened(labelling).sha)
        text, status = press(labelling, "fear")
    assert order[:3] == order[3:]
    assert "You passed" in status


def test_to_undo_and_answer_again_changes_no_answer(labelling: LabelSession) -> None:
    ask(labelling)
    clip = opened(labelling).sha
    press(labelling, "joy")
    text = str(undone(labelling, ADA, "s", blind=True)[0])
    assert "practice-round" not in text
    assert opened(labelling).sha == clip
    press(labelling, "fear")
    now = labelling.round.standing(ADA)
    assert now is not None
    assert (now.answered, now.right) == (1, 0)


def test_a_skipped_gold_clip_comes_after_the_others(labelling: LabelSession) -> None:
    gold = ask(labelling)
    first = opened(labelling).sha
    press(labelling, "", "skip")
    second = opened(labelling).sha
    press(labelling, "fear")
    third = opened(labelling).sha
    press(labelling, "fear")
    assert sorted([first, second, third]) == gold
    assert opened(labelling).sha == first


def test_who_marked_all_the_gold_clips_is_asked_about_none(labelling: LabelSession) -> None:
    gold = ask(labelling, by="ada")
    assert opened(labelling).sha not in gold
    assert who_counts(labelling.services.store).counts_from_now("ada")
    other = labelling.open(BOB, "t", blind=False)
    assert other is not None
    assert other.sha in gold


def test_a_gold_clip_whose_file_went_away_is_passed_over(labelling: LabelSession) -> None:
    gold = ask(labelling)
    for clip in gold[:2]:
        path = labelling.pool.sources[clip].path
        assert path is not None
        path.unlink()
    assert opened(labelling).sha == gold[2]


def test_without_gold_or_practice_the_queue_is_as_ever(labelling: LabelSession) -> None:
    store = labelling.services.store
    assert opened(labelling).why != ROUND
    write_annotator_settings(store.folder, None, 0.0, by="eve", practice=Practice(3, 0.8))
    assert opened(labelling, "t").why != ROUND
    assert not who_counts(store).counts_from_now("ada"), "and nobody has passed"


@pytest.mark.parametrize(("language", "word"), [("de", "Übungsrunde"), ("pl", "Runda")])
def test_the_round_speaks_the_reader_s_language(
    labelling: LabelSession, monkeypatch: pytest.MonkeyPatch, language: str, word: str
) -> None:
    ask(labelling)
    shown = opened(labelling)

    class Asked:
        headers = {"accept-language": language}  # noqa: RUF012

    request: Any = Asked()
    token = LocalContext.request.set(request)
    try:
        assert word in str(view(labelling, ADA, shown, "")[0])
    finally:
        LocalContext.request.reset(token)
