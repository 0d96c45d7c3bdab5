"""Labelling without the page: tickets, conflicts, blindness, undo, visitors, a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from label_store.errors import ConflictError, NothingToUndoError, SaveError, StoreError
from label_store.event import LabelEvent
from label_store.queue import QueueSettings
from label_store.store import LabelStore
from ui.analysis import PageError
from ui.corpus_catalogue import Source
from ui.identity import Annotator
from ui.label import decided, opened, parsed, side, undone
from ui.label_clip import GoneError, Ready, Shelf, read_bytes, sound_url
from ui.label_desk import Desk
from ui.label_parts import WHY, card
from ui.label_references import reference_emotions
from ui.label_shown import STALE, Choice, Shown
from ui.services import AppSettings, Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
BOB = Annotator("bob", may_write=True, may_suggest=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Suggestions wait for a review.")
NOBODY = Annotator("", reason="Sign in first.")
SAID = {
    "emotion": "joy",
    "confidence": 0.6,
    "probabilities": {"joy": 0.6, "anger": 0.4},
    "unsure": None,
    "model": {"name": "m", "version": "m-1"},
}


class QuickShelf(Shelf):
    """Reads the bytes and skips the model: what is tested here is not what it hears."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.quick = services
        self.fetched: list[str] = []

    def fetch(self, sha: str, source: Source) -> None:
        self.fetched.append(sha)

    def get(self, sha: str, source: Source) -> Ready:
        data = read_bytes(self.quick, sha, source)
        return Ready(data, ".wav", "data:audio/wav;base64,AA==", None, SAID, seconds=1.0)


def corpus(home: Path, clips: int = 8) -> list[Path]:
    folder = home / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    made = []
    for number in range(clips):
        made.append(folder / f"03a{number + 1:02d}Fa.wav")
        made[-1].write_bytes(b"RIFF" + bytes([number]) * 40)
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    corpus(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def desk(home: Path) -> Desk:
    services = Services(AppSettings(home=home))
    return Desk(services, np.random.default_rng(0), shelf=QuickShelf(services))


def shown(desk: Desk, who: Annotator = ADA, session: str = "s", *, blind: bool = False) -> Shown:
    found = desk.open(who, session, blind=blind)
    assert found is not None
    return found


def choose(desk: Desk, emotion: str = "anger", who: Annotator = ADA, session: str = "s") -> Any:
    ticket = shown(desk, who, session).ticket
    return desk.decide(who, session, Choice(ticket, "label", emotion, 0.7, "a note", "", 321))


def test_a_label_keeps_who_what_and_what_the_model_had_said(desk: Desk) -> None:
    clip = shown(desk)
    event = choose(desk).event
    assert (event.clip, event.annotator, event.session) == (clip.sha, "ada", "s")
    assert (event.emotion, event.certainty, event.note) == ("anger", 0.7, "a note")
    assert (event.prediction, event.model_version) == ("joy", "m-1")
    assert (event.prediction_visible, event.milliseconds, event.corpus) == (True, 321, "emodb")
    assert event.file_name == clip.source.name
    assert desk.services.store.clip_path(clip.sha) is not None


def test_confirming_saves_what_the_model_says(desk: Desk) -> None:
    saved = desk.decide(ADA, "s", Choice(shown(desk).ticket, "confirm"))
    assert saved.event.emotion == "joy"


def test_a_key_that_comes_twice_saves_once(desk: Desk) -> None:
    ticket = shown(desk).ticket
    desk.decide(ADA, "s", Choice(ticket, "label", "anger"))
    desk.advance(ADA, "s", blind=False)
    with pytest.raises(PageError, match=STALE[:20]):
        desk.decide(ADA, "s", Choice(ticket, "label", "anger"))
    assert desk.services.store.revision == 1


def test_a_ticket_of_another_sitting_is_refused(desk: Desk) -> None:
    ticket = shown(desk, session="one").ticket
    shown(desk, session="two")
    with pytest.raises(PageError):
        desk.decide(ADA, "two", Choice(ticket, "label", "anger"))


def test_what_another_changed_meanwhile_is_not_overwritten(desk: Desk) -> None:
    desk.queue().settings = desk.pool.settings = QueueSettings(overlap=0.0)
    clip = shown(desk)
    other = LabelStore(desk.services.home)
    other.append(
        LabelEvent(action="label", annotator="bob", clip=clip.sha, file_name="x", emotion="fear")
    )
    with pytest.raises(ConflictError, match="bob"):
        desk.decide(ADA, "s", Choice(clip.ticket, "label", "anger"))
    again = shown(desk)
    assert again.sha == clip.sha
    assert again.head != clip.head
    desk.decide(ADA, "s", Choice(again.ticket, "label", "anger"))


def test_on_a_clip_for_several_people_the_votes_of_others_are_no_conflict(desk: Desk) -> None:
    desk.queue().settings = desk.pool.settings = QueueSettings(overlap=1.0)
    clip = shown(desk)
    shown(desk, BOB, "b")
    for name in ("bob", "eve"):
        vote = LabelEvent(action="label", annotator=name, clip=clip.sha, emotion="fear")
        desk.services.store.append(vote)
    desk.decide(ADA, "s", Choice(clip.ticket, "label", "anger"))
    votes = {"ada": "anger", "bob": "fear", "eve": "fear"}
    assert desk.services.store.clip(clip.sha).whole() == votes
    again = desk.reopen(ADA, "s", clip.sha, blind=False)
    desk.services.store.rename(clip.sha, "other.wav", "bob")
    with pytest.raises(ConflictError):
        desk.decide(ADA, "s", Choice(again.ticket, "label", "joy"))


def test_blind_hides_and_says_so_in_the_event(desk: Desk) -> None:
    clip = shown(desk, blind=True)
    text = card(clip)
    assert "60 %" not in text
    assert 'data-said=""' in text
    assert "table says" not in text
    with pytest.raises(PageError, match="hidden"):
        desk.decide(ADA, "s", Choice(clip.ticket, "confirm"))
    event = desk.decide(ADA, "s", Choice(clip.ticket, "label", "anger")).event
    assert event.prediction_visible is False
    assert event.prediction == "joy"


def test_what_was_seen_once_counts_as_seen(desk: Desk) -> None:
    shown(desk, blind=False)
    clip = shown(desk, blind=True)
    assert "60 %" not in card(clip)
    event = desk.decide(ADA, "s", Choice(clip.ticket, "label", "anger")).event
    assert event.prediction_visible is True


def test_undo_brings_the_clip_back(desk: Desk) -> None:
    first = shown(desk)
    choose(desk)
    desk.advance(ADA, "s", blind=False)
    saved, again = desk.undo(ADA, "s", blind=False)
    assert saved.event.action == "undo"
    assert again is not None
    assert again.sha == first.sha
    assert desk.services.store.clip(first.sha).whole() == {}
    with pytest.raises(NothingToUndoError):
        desk.undo(ADA, "s", blind=False)


def test_an_own_decision_can_be_opened_and_replaced(desk: Desk) -> None:
    first = shown(desk)
    choose(desk, "anger")
    desk.advance(ADA, "s", blind=False)
    again = desk.reopen(ADA, "s", first.sha, blind=False)
    assert again.mine == "anger"
    assert "You said" in card(again)
    desk.decide(ADA, "s", Choice(again.ticket, "label", "fear"))
    assert desk.services.store.clip(first.sha).whole() == {"ada": "fear"}


def test_only_known_clips_are_opened(desk: Desk) -> None:
    with pytest.raises(PageError):
        desk.reopen(ADA, "s", "../../etc/passwd", blind=False)


def test_two_people_never_have_one_clip_and_skips_come_last(desk: Desk) -> None:
    seen: dict[str, set[str]] = {"ada": set(), "bob": set()}
    skipped = shown(desk).sha
    desk.decide(ADA, "s", Choice(shown(desk).ticket, "skip", reason="too noisy"))
    assert desk.services.store.history(skipped)[-1].reason == "too noisy"
    for _ in range(3):
        for who in (ADA, BOB):
            clip = desk.advance(who, who.name, blind=False)
            assert clip is not None
            desk.decide(who, who.name, Choice(clip.ticket, "label", "joy"))
            seen[who.name].add(clip.sha)
            assert clip.sha != skipped
    both = seen["ada"] & seen["bob"]
    settings = desk.queue().settings
    assert all(int(sha[:8], 16) / 2**32 < settings.overlap for sha in both)


def test_many_threads_label_without_a_collision(desk: Desk) -> None:
    desk.services.settings.home.joinpath("labels").mkdir(exist_ok=True)

    def work(name: str) -> list[str]:
        who, done = Annotator(name, may_write=True), []
        for _ in range(2):
            clip = desk.advance(who, name, blind=False)
            assert clip is not None
            desk.decide(who, name, Choice(clip.ticket, "label", "joy"))
            done.append(clip.sha)
        return done

    with ThreadPoolExecutor(3) as pool:
        found = [sha for done in pool.map(work, ["a", "b", "c"]) for sha in done]
    assert desk.services.store.revision == 6
    overlap = desk.queue().settings.overlap
    once = [sha for sha in found if int(sha[:8], 16) / 2**32 >= overlap]
    assert len(once) == len(set(once))


def test_who_may_not_write_saves_nothing_and_visitors_only_suggest(desk: Desk) -> None:
    with pytest.raises(PageError, match="Sign in"):
        desk.decide(NOBODY, "n", Choice("x:", "label", "joy"))
    clip = shown(desk, VISITOR, "v")
    saved = desk.decide(VISITOR, "v", Choice(clip.ticket, "label", "joy"))
    assert saved.event.action == "suggest"
    assert desk.services.store.clip(clip.sha).whole() == {}
    following = desk.advance(VISITOR, "v", blind=False)
    assert following is not None
    assert following.sha != clip.sha
    with pytest.raises(PageError):
        desk.decide(VISITOR, "v", Choice(following.ticket, "skip"))
    with pytest.raises(PageError):
        desk.undo(VISITOR, "v", blind=False)


def test_a_clip_deleted_before_it_is_shown_is_passed_over(home: Path) -> None:
    services = Services(AppSettings(home=home))
    desk = Desk(services, np.random.default_rng(0), shelf=QuickShelf(services))
    desk.queue()
    files = sorted(home.rglob("*.wav"))
    for path in files[1:]:
        path.unlink()
    clip = desk.advance(ADA, "s", blind=False)
    assert clip is not None
    assert clip.source.path == files[0]


def test_a_clip_deleted_after_it_is_shown_is_still_saved(desk: Desk) -> None:
    clip = shown(desk)
    assert clip.source.path is not None
    clip.source.path.unlink()
    desk.decide(ADA, "s", Choice(clip.ticket, "label", "joy"))
    kept = desk.services.store.clip_path(clip.sha)
    assert kept is not None
    assert kept.read_bytes() == clip.ready.data


def test_bytes_that_changed_are_not_labelled_under_the_old_hash(desk: Desk) -> None:
    clip = shown(desk)
    assert clip.source.path is not None
    clip.source.path.write_bytes(b"another sound")
    with pytest.raises(GoneError, match="changed"):
        desk.shelf.get(clip.sha, clip.source)


def test_a_full_disk_leaves_the_clip_where_it_is(home: Path) -> None:
    full = False

    def write(handle: int, data: Any) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, data)

    services = Services(AppSettings(home=home))
    services.__dict__["store"] = LabelStore(home, write=write)
    desk = Desk(services, np.random.default_rng(0), shelf=QuickShelf(services))
    clip = shown(desk)
    full = True
    with pytest.raises(SaveError, match="space"):
        desk.decide(ADA, "s", Choice(clip.ticket, "label", "joy"))
    full = False
    assert shown(desk).ticket == clip.ticket
    assert desk.decide(ADA, "s", Choice(clip.ticket, "label", "joy")).number == 1


def test_a_closed_page_gives_its_clips_back(desk: Desk) -> None:
    shown(desk, session="gone")
    assert desk.queue().leases.active()
    desk.leave("gone")
    desk.leave("gone")
    assert not [one for one in desk.queue().leases.active() if one.session == "gone"]


def test_clips_of_the_store_alone_are_queued(tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path / "home"))
    desk = Desk(services, np.random.default_rng(0), shelf=QuickShelf(services))
    assert desk.open(ADA, "s", blind=False) is None
    sha = services.store.keep_clip(b"RIFF an upload", ".wav")
    services.store.append(
        LabelEvent(action="suggest", annotator="v", clip=sha, file_name="up.wav", emotion="joy")
    )
    clip = desk.open(ADA, "s", blind=False)
    assert clip is not None
    assert clip.sha == sha


def test_an_unknown_order_is_refused(desk: Desk) -> None:
    desk.choose_by("random")
    with pytest.raises(StoreError):
        desk.choose_by("nonsense")
    shown(desk)


def test_the_aside_lists_the_last_decisions(desk: Desk) -> None:
    choose(desk, "fear")
    desk.advance(ADA, "s", blind=False)
    text = side(desk, ADA)
    assert "<b>1</b> of 8 labelled" in text
    assert "data-reopen" in text
    assert "fear" in text
    assert "data-reopen" not in side(desk, BOB)


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.wav", '" onmouseover="x.wav', "=1+1.wav"]
)
def test_names_are_escaped(name: str) -> None:
    source = Source(name, name, None, name, name)
    text = card(Shown("ab", None, source, Ready(b"", ".wav", trouble=name), True, False, "random"))
    assert "<img" not in text
    assert 'onmouseover="x' not in text


def test_tickets_from_raw_calls_are_read_with_care() -> None:
    assert parsed("ab:cd|999999999999999") == ("ab:cd", None)
    assert parsed("ab:cd|-5") == ("ab:cd", None)
    assert parsed("") == ("", None)


@pytest.mark.parametrize(
    ("suffix", "seconds", "mime"),
    [(".wav", 1.0, "audio/wav"), (".aiff", 1.0, "audio/wav"), (".aiff", 60.0, "audio/mpeg")],
)
def test_every_sound_is_sent_as_what_browsers_play(
    suffix: str, seconds: float, mime: str, voice_like: Callable[[float], Any]
) -> None:
    clip = voice_like(seconds)
    assert sound_url(b"x" * 100, suffix, clip).startswith(f"data:{mime};base64,")


@pytest.fixture
def voice_like() -> Callable[[float], Any]:
    from ser_core.audio import from_array

    def make(seconds: float) -> Any:
        time = np.arange(round(seconds * 16_000)) / 16_000
        return from_array((0.2 * np.sin(900 * time)).astype(np.float32), 16_000)

    return make


def test_blind_hides_the_name_and_every_hint_until_the_decision(desk: Desk) -> None:
    clip = shown(desk, blind=True)
    name = clip.source.name
    text = card(clip) + side(desk, ADA, clip)
    for hint in (name, name.rpartition("/")[2], "emodb", clip.source.emotion, "joy", "speaker"):
        assert hint not in text
    for why in ("label-error", "disagreement", "balance", "entropy"):
        assert WHY[why] not in card(replace(clip, why=why))
    assert reference_emotions(desk, clip) == []
    troubled = replace(clip, ready=replace(clip.ready, trouble=f"{name}: no prediction"))
    assert name not in card(troubled)
    out = decided(desk, ADA, "s", Choice(clip.ticket, "label", "anger"), blind=True)
    assert f"It was {name}; the table says joy; the model hears joy." in out[2]
    assert name in side(desk, ADA)


def test_an_open_clip_keeps_its_name_to_itself_also_among_the_last_decisions(desk: Desk) -> None:
    clip = shown(desk)
    choose(desk)
    desk.reopen(ADA, "s", clip.sha, blind=True)
    again = desk.current("s")
    assert again is not None
    text = side(desk, ADA, again)
    assert clip.source.name not in text
    assert "the clip before you" in text
    out = undone(desk, ADA, "s", blind=True)
    assert clip.source.name not in out[2]


def test_u_goes_on_with_the_decisions_of_earlier_sittings(desk: Desk) -> None:
    first = shown(desk, session="monday")
    choose(desk, session="monday")
    desk.leave("monday")
    later = Desk(desk.services, np.random.default_rng(1), shelf=QuickShelf(desk.services))
    second = shown(later, session="tuesday")
    assert first.sha in side(later, ADA)
    choose(later, session="tuesday")
    assert later.undo(ADA, "tuesday", blind=False)[0].event.clip == second.sha
    saved, again = later.undo(ADA, "tuesday", blind=False)
    assert (saved.event.clip, saved.event.session) == (first.sha, "tuesday")
    assert again is not None
    assert again.sha == first.sha
    assert "data-reopen" not in side(later, ADA)
    with pytest.raises(NothingToUndoError):
        later.undo(ADA, "tuesday", blind=False)


def test_u_spares_another_page_that_is_open(desk: Desk) -> None:
    shown(desk, session="one")
    choose(desk, session="one")
    shown(desk, session="two")
    with pytest.raises(NothingToUndoError):
        desk.undo(ADA, "two", blind=False)


def test_a_late_key_brings_the_page_up_to_date(desk: Desk) -> None:
    old = shown(desk).ticket
    choose(desk)
    out = decided(desk, ADA, "s", Choice(old, "label", "joy"), blind=False)
    now = desk.current("s")
    assert now is not None
    assert now.ticket in out[0]
    assert "refused" in out[2]
    assert desk.services.store.revision == 1


def test_a_key_without_a_clip_is_answered(tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path / "empty"))
    desk = Desk(services, np.random.default_rng(0), shelf=QuickShelf(services))
    out = decided(desk, ADA, "s", Choice("", "label", "joy"), blind=False)
    assert "no clip on the page" in out[2]
    assert "nothing to label yet" in out[0]


def test_looking_again_at_the_same_clip_keeps_what_was_said(desk: Desk) -> None:
    desk.listens = False
    assert "press the digit" in opened(desk, ADA, "s", blind=False)[2]
    assert opened(desk, ADA, "s", blind=False)[2] == gr.skip()


def test_who_may_not_label_is_told_in_place_of_a_clip(desk: Desk) -> None:
    out = opened(desk, NOBODY, "n", blind=False)
    assert "No clip can be shown" in out[0]
    assert "Sign in" in out[2]


def test_on_gold_clips_the_answers_of_others_are_no_conflict(desk: Desk) -> None:
    clip = shown(desk)
    desk.queue().gold = {clip.sha: ""}
    vote = LabelEvent(action="label", annotator="bob", clip=clip.sha, emotion="fear")
    desk.services.store.append(vote)
    desk.decide(ADA, "s", Choice(clip.ticket, "label", "anger"))
    assert desk.services.store.clip(clip.sha).whole() == {"ada": "anger", "bob": "fear"}
