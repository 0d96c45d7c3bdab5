"""Labelling without the page: tickets, conflicts, blindness, undo, visitors, a full disk."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import soundfile

from label_store.candidate import QueueSettings
from label_store.errors import ConflictError, NothingToUndoError, SaveError, StoreError
from label_store.event import LabelEvent
from label_store.store import LabelStore
from ui.catalogue import Source
from ui.clip_cache import ClipCache, PreparedClip, read_bytes, sound_url
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.label.displayed import STALE, DisplayedClip, LabelDecision
from ui.label.handlers import parsed, picturer, switcher
from ui.label.html import WHY, card
from ui.label.outputs import decided, opened, side, undone
from ui.label.references import reference_emotions
from ui.label.session import LabelSession
from ui.services import AppSettings, Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
BOB = Annotator("bob", may_write=True, may_suggest=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Suggestions wait for a review.")
GUEST = Annotator("guest", may_suggest=True, reason="“guest” is not among those who label.")
NOBODY = Annotator("", reason="Sign in first.")
SAID = {
    "emotion": "joy",
    "confidence": 0.6,
    "probabilities": {"joy": 0.6, "anger": 0.4},
    "unsure": None,
    "model": {"name": "m", "version": "m-1"},
}


class QuickShelf(ClipCache):
    """Reads the bytes and skips the model: what is tested here is not what it hears."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.quick = services
        self.fetched: list[str] = []

    def fetch(self, sha: str, source: Source, model: str = "") -> None:
        self.fetched.append(sha)

    def get(self, sha: str, source: Source, model: str = "") -> PreparedClip:
        data = read_bytes(self.quick, sha, source)
        return PreparedClip(data, ".wav", "data:audio/wav;base64,AA==", None, SAID, seconds=1.0)

    def get_undrawn(self, sha: str, source: Source) -> PreparedClip:
        return self.get(sha, source)


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
def labelling(home: Path) -> LabelSession:
    services = Services(AppSettings(home=home))
    return LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))


def shown(
    labelling: LabelSession, who: Annotator = ADA, session: str = "s", *, blind: bool = False
) -> DisplayedClip:
    found = labelling.open(who, session, blind=blind)
    assert found is not None
    return found


def choose(
    labelling: LabelSession, emotion: str = "anger", who: Annotator = ADA, session: str = "s"
) -> Any:
    ticket = shown(labelling, who, session).ticket
    return labelling.decide(
        who, session, LabelDecision(ticket, "label", emotion, 0.7, "a note", "", 321)
    )


def test_a_label_keeps_who_what_and_what_the_model_had_said(labelling: LabelSession) -> None:
    clip = shown(labelling)
    event = choose(labelling).event
    assert (event.clip, event.annotator, event.session) == (clip.sha, "ada", "s")
    assert (event.emotion, event.certainty, event.note) == ("anger", 0.7, "a note")
    assert (event.prediction, event.model_version) == ("joy", "m-1")
    assert (event.prediction_visible, event.milliseconds, event.corpus) == (True, 321, "emodb")
    assert event.file_name == clip.source.name
    assert labelling.services.store.clip_path(clip.sha) is not None


def test_confirming_saves_what_the_model_says(labelling: LabelSession) -> None:
    saved = labelling.decide(ADA, "s", LabelDecision(shown(labelling).ticket, "confirm"))
    assert saved.event.emotion == "joy"


def test_a_key_that_comes_twice_saves_once(labelling: LabelSession) -> None:
    ticket = shown(labelling).ticket
    labelling.decide(ADA, "s", LabelDecision(ticket, "label", "anger"))
    labelling.advance(ADA, "s", blind=False)
    with pytest.raises(PageError, match=STALE[:20]):
        labelling.decide(ADA, "s", LabelDecision(ticket, "label", "anger"))
    assert labelling.services.store.revision == 1


def test_a_ticket_of_another_sitting_is_refused(labelling: LabelSession) -> None:
    ticket = shown(labelling, session="one").ticket
    shown(labelling, session="two")
    with pytest.raises(PageError):
        labelling.decide(ADA, "two", LabelDecision(ticket, "label", "anger"))


def test_what_another_changed_meanwhile_is_not_overwritten(labelling: LabelSession) -> None:
    labelling.queue().settings = labelling.pool.settings = QueueSettings(overlap=0.0)
    clip = shown(labelling)
    other = LabelStore(labelling.services.home)
    other.append(
        LabelEvent(action="label", annotator="bob", clip=clip.sha, file_name="x", emotion="fear")
    )
    with pytest.raises(ConflictError, match="bob"):
        labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "anger"))
    again = shown(labelling)
    assert again.sha == clip.sha
    assert again.head != clip.head
    labelling.decide(ADA, "s", LabelDecision(again.ticket, "label", "anger"))


def test_on_a_clip_for_several_people_the_votes_of_others_are_no_conflict(
    labelling: LabelSession,
) -> None:
    labelling.queue().settings = labelling.pool.settings = QueueSettings(overlap=1.0)
    clip = shown(labelling)
    shown(labelling, BOB, "b")
    for name in ("bob", "eve"):
        vote = LabelEvent(action="label", annotator=name, clip=clip.sha, emotion="fear")
        labelling.services.store.append(vote)
    labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "anger"))
    votes = {"ada": "anger", "bob": "fear", "eve": "fear"}
    assert labelling.services.store.clip(clip.sha).whole() == votes
    again = labelling.reopen(ADA, "s", clip.sha, blind=False)
    labelling.services.store.rename(clip.sha, "other.wav", "bob")
    with pytest.raises(ConflictError):
        labelling.decide(ADA, "s", LabelDecision(again.ticket, "label", "joy"))


def test_blind_hides_and_says_so_in_the_event(labelling: LabelSession) -> None:
    clip = shown(labelling, blind=True)
    text = card(clip, ADA)
    assert "60 %" not in text
    assert 'data-predicted=""' in text
    assert "table says" not in text
    with pytest.raises(PageError, match="hidden"):
        labelling.decide(ADA, "s", LabelDecision(clip.ticket, "confirm"))
    event = labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "anger")).event
    assert event.prediction_visible is False
    assert event.prediction == "joy"


def test_what_was_seen_once_counts_as_seen(labelling: LabelSession) -> None:
    shown(labelling, blind=False)
    clip = shown(labelling, blind=True)
    assert "60 %" not in card(clip, ADA)
    event = labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "anger")).event
    assert event.prediction_visible is True


def test_undo_brings_the_clip_back(labelling: LabelSession) -> None:
    first = shown(labelling)
    choose(labelling)
    labelling.advance(ADA, "s", blind=False)
    saved, again = labelling.undo(ADA, "s", blind=False)
    assert saved.event.action == "undo"
    assert again is not None
    assert again.sha == first.sha
    assert labelling.services.store.clip(first.sha).whole() == {}
    with pytest.raises(NothingToUndoError):
        labelling.undo(ADA, "s", blind=False)


def test_an_own_decision_can_be_opened_and_replaced(labelling: LabelSession) -> None:
    first = shown(labelling)
    choose(labelling, "anger")
    labelling.advance(ADA, "s", blind=False)
    again = labelling.reopen(ADA, "s", first.sha, blind=False)
    assert again.mine == "anger"
    assert "You chose" in card(again, ADA)
    labelling.decide(ADA, "s", LabelDecision(again.ticket, "label", "fear"))
    assert labelling.services.store.clip(first.sha).whole() == {"ada": "fear"}


def test_only_known_clips_are_opened(labelling: LabelSession) -> None:
    with pytest.raises(PageError):
        labelling.reopen(ADA, "s", "../../etc/passwd", blind=False)


def test_two_people_never_have_one_clip_and_skips_come_last(labelling: LabelSession) -> None:
    seen: dict[str, set[str]] = {"ada": set(), "bob": set()}
    skipped = shown(labelling).sha
    labelling.decide(ADA, "s", LabelDecision(shown(labelling).ticket, "skip", reason="too noisy"))
    assert labelling.services.store.history(skipped)[-1].reason == "too noisy"
    for _ in range(3):
        for who in (ADA, BOB):
            clip = labelling.advance(who, who.name, blind=False)
            assert clip is not None
            labelling.decide(who, who.name, LabelDecision(clip.ticket, "label", "joy"))
            seen[who.name].add(clip.sha)
            assert clip.sha != skipped
    both = seen["ada"] & seen["bob"]
    settings = labelling.queue().settings
    assert all(int(sha[:8], 16) / 2**32 < settings.overlap for sha in both)


def test_many_threads_label_without_a_collision(labelling: LabelSession) -> None:
    labelling.services.settings.home.joinpath("labels").mkdir(exist_ok=True)

    def work(name: str) -> list[str]:
        who, done = Annotator(name, may_write=True), []
        for _ in range(2):
            clip = labelling.advance(who, name, blind=False)
            assert clip is not None
            labelling.decide(who, name, LabelDecision(clip.ticket, "label", "joy"))
            done.append(clip.sha)
        return done

    with ThreadPoolExecutor(3) as pool:
        found = [sha for done in pool.map(work, ["a", "b", "c"]) for sha in done]
    assert labelling.services.store.revision == 6
    overlap = labelling.queue().settings.overlap
    once = [sha for sha in found if int(sha[:8], 16) / 2**32 >= overlap]
    assert len(once) == len(set(once))


def bring(labelling: LabelSession, session: str, name: str = "mine.wav") -> str:
    path = labelling.services.home / name
    path.write_bytes(b"RIFF" + name.encode())
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    labelling.services.handover.put(session, Source("", name, path, sha256=sha))
    return sha


def test_a_visitor_hears_only_what_they_brought(labelling: LabelSession) -> None:
    hers = choose(labelling).event.clip
    for who in (VISITOR, GUEST, NOBODY):
        assert labelling.open(who, "v", blind=False) is None
        assert labelling.advance(who, "v", blind=False) is None
        with pytest.raises(PageError, match="only by those who may label"):
            labelling.reopen(who, "v", hers, blind=False)
        assert hers not in side(labelling, who)
        assert "8" not in side(labelling, who)
        text = str(opened(labelling, who, "v", blind=False))
        assert "03a" not in text
    assert not [one for one in labelling.queue().leases.active() if one.session == "v"]


def test_a_clip_that_is_sent_again_is_shown_again(labelling: LabelSession) -> None:
    sha = bring(labelling, "s")
    clip = shown(labelling)
    assert clip.sha == sha
    labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "joy"))
    after = labelling.advance(ADA, "s", blind=False)
    assert after is None or after.sha != sha
    assert bring(labelling, "s") == sha
    assert shown(labelling).sha == sha


def test_a_session_of_somebody_else_shows_nothing(labelling: LabelSession) -> None:
    clip = shown(labelling)
    assert labelling.current(ADA, "s") is clip
    for who in (VISITOR, GUEST, BOB):
        assert labelling.current(who, "s") is None


def test_a_suggestion_is_for_its_suggester_and_for_those_who_label(labelling: LabelSession) -> None:
    sha = bring(labelling, "g")
    clip = shown(labelling, GUEST, "g")
    labelling.decide(GUEST, "g", LabelDecision(clip.ticket, "label", "joy"))
    assert labelling.open(GUEST, "g", blind=False) is None
    assert sha in side(labelling, GUEST)
    assert labelling.reopen(GUEST, "later", sha, blind=False).sha == sha
    for other in (VISITOR, Annotator("eve", may_suggest=True)):
        with pytest.raises(PageError, match="only by those who may label"):
            labelling.reopen(other, "g", sha, blind=False)
        assert sha not in side(labelling, other)
    assert labelling.reopen(ADA, "s", sha, blind=False).sha == sha


def test_suggestions_on_this_tab_are_bounded_too(labelling: LabelSession) -> None:
    limits = labelling.services.suggestion_limits
    limits.by_session = 2
    for number in range(3):
        bring(labelling, "v", f"{number}.wav")
        clip = shown(labelling, VISITOR, "v")
        choice = LabelDecision(clip.ticket, "label", "joy")
        if number < 2:
            labelling.decide(VISITOR, "v", choice)
        else:
            with pytest.raises(PageError, match="At most 2 suggestions"):
                labelling.decide(VISITOR, "v", choice)
    assert labelling.services.store.revision == 2


def test_who_may_not_write_saves_nothing_and_visitors_only_suggest(labelling: LabelSession) -> None:
    with pytest.raises(PageError, match="Sign in"):
        labelling.decide(NOBODY, "n", LabelDecision("x:", "label", "joy"))
    bring(labelling, "v")
    clip = shown(labelling, VISITOR, "v")
    with pytest.raises(PageError):
        labelling.decide(VISITOR, "v", LabelDecision(clip.ticket, "skip"))
    saved = labelling.decide(VISITOR, "v", LabelDecision(clip.ticket, "label", "joy"))
    assert saved.event.action == "suggest"
    assert labelling.services.store.clip(clip.sha).whole() == {}
    with pytest.raises(PageError):
        labelling.undo(VISITOR, "v", blind=False)


def test_a_clip_deleted_before_it_is_shown_is_passed_over(home: Path) -> None:
    services = Services(AppSettings(home=home))
    labelling = LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))
    labelling.queue()
    files = sorted(home.rglob("*.wav"))
    for path in files[1:]:
        path.unlink()
    clip = labelling.advance(ADA, "s", blind=False)
    assert clip is not None
    assert clip.source.path == files[0]


def test_a_clip_deleted_after_it_is_shown_is_still_saved(labelling: LabelSession) -> None:
    clip = shown(labelling)
    assert clip.source.path is not None
    clip.source.path.unlink()
    labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "joy"))
    kept = labelling.services.store.clip_path(clip.sha)
    assert kept is not None
    assert kept.read_bytes() == clip.ready.data


def test_bytes_that_changed_are_not_labelled_under_the_old_hash(labelling: LabelSession) -> None:
    clip = shown(labelling)
    assert clip.source.path is not None
    clip.source.path.write_bytes(b"another sound")
    with pytest.raises(GoneError, match="changed"):
        labelling.clips.get(clip.sha, clip.source)


def test_a_full_disk_leaves_the_clip_where_it_is(home: Path) -> None:
    full = False

    def write(handle: int, data: Any) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, data)

    services = Services(AppSettings(home=home))
    services.__dict__["store"] = LabelStore(home, write=write)
    labelling = LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))
    clip = shown(labelling)
    full = True
    with pytest.raises(SaveError, match="space"):
        labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "joy"))
    full = False
    assert shown(labelling).ticket == clip.ticket
    assert labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "joy")).number == 1


def test_a_closed_page_gives_its_clips_back(labelling: LabelSession) -> None:
    shown(labelling, session="gone")
    assert labelling.queue().leases.active()
    labelling.leave("gone")
    labelling.leave("gone")
    assert not [one for one in labelling.queue().leases.active() if one.session == "gone"]


def test_clips_of_the_store_alone_are_queued(tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path / "home"))
    labelling = LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))
    assert labelling.open(ADA, "s", blind=False) is None
    sha = services.store.keep_clip(b"RIFF an upload", ".wav")
    services.store.append(
        LabelEvent(action="suggest", annotator="v", clip=sha, file_name="up.wav", emotion="joy")
    )
    clip = labelling.open(ADA, "s", blind=False)
    assert clip is not None
    assert clip.sha == sha


def test_an_unknown_order_is_refused(labelling: LabelSession) -> None:
    labelling.choose_by("random")
    with pytest.raises(StoreError):
        labelling.choose_by("nonsense")
    shown(labelling)


def test_the_aside_lists_the_last_decisions(labelling: LabelSession) -> None:
    choose(labelling, "fear")
    labelling.advance(ADA, "s", blind=False)
    text = side(labelling, ADA)
    assert "<b>1</b> of 8 labelled" in text
    assert "data-reopen" in text
    assert "fear" in text
    assert "data-reopen" not in side(labelling, BOB)


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.wav", '" onmouseover="x.wav', "=1+1.wav"]
)
def test_names_are_escaped(name: str) -> None:
    source = Source(name, name, None, name, name)
    text = card(
        DisplayedClip(
            "ab", None, source, PreparedClip(b"", ".wav", trouble=name), True, False, "random"
        ),
        ADA,
    )
    assert "<img" not in text
    assert 'onmouseover="x' not in text


def test_tickets_from_raw_calls_are_read_with_care() -> None:
    assert parsed("ab:cd|999999999999999") == ("ab:cd", None, None, None)
    assert parsed("ab:cd|-5") == ("ab:cd", None, None, None)
    assert parsed("") == ("", None, None, None)


@pytest.mark.parametrize(
    ("container", "subtype", "seconds", "mime"),
    [
        ("WAV", "PCM_16", 1.0, "audio/wav"),
        ("WAV", "GSM610", 1.0, "audio/wav"),
        ("FLAC", "PCM_16", 1.0, "audio/flac"),
        ("AIFF", "PCM_16", 60.0, "audio/mpeg"),
    ],
)
def test_every_sound_is_sent_as_what_browsers_play(
    container: str, subtype: str, seconds: float, mime: str, voice_like: Callable[[float], Any]
) -> None:
    clip = voice_like(seconds)
    held = io.BytesIO()
    soundfile.write(held, clip.samples.T, 16_000, format=container, subtype=subtype)
    head, _, body = sound_url(held.getvalue(), clip).partition(",")
    assert head == f"data:{mime};base64"
    found = soundfile.info(io.BytesIO(base64.b64decode(body)))
    assert found.subtype in ("PCM_16", "MPEG_LAYER_III")
    assert abs(found.duration - seconds) < 0.1


@pytest.fixture
def voice_like() -> Callable[[float], Any]:
    from ser_core.audio import Audio

    def make(seconds: float) -> Any:
        time = np.arange(round(seconds * 16_000)) / 16_000
        sound = (0.2 * np.sin(900 * time)).astype(np.float32)
        return Audio(np.atleast_2d(sound), 16_000, 16_000)

    return make


def test_blind_hides_the_name_and_every_hint_until_the_decision(labelling: LabelSession) -> None:
    clip = shown(labelling, blind=True)
    name = clip.source.name
    text = card(clip, ADA) + side(labelling, ADA, clip)
    for hint in (name, name.rpartition("/")[2], "emodb", clip.source.emotion, "joy", "speaker"):
        assert hint not in text
    for why in ("label-error", "disagreement", "balance", "entropy"):
        assert WHY[why] not in card(replace(clip, why=why), ADA)
    assert reference_emotions(labelling, clip) == []
    troubled = replace(clip, ready=replace(clip.ready, trouble=f"{name}: no prediction"))
    assert name not in card(troubled, ADA)
    out = decided(labelling, ADA, "s", LabelDecision(clip.ticket, "label", "anger"), blind=True)
    assert f"It was {name}; the corpus says joy; the model predicts joy." in out[1]
    assert name in side(labelling, ADA)


def test_an_open_clip_keeps_its_name_to_itself_also_among_the_last_decisions(
    labelling: LabelSession,
) -> None:
    clip = shown(labelling)
    choose(labelling)
    labelling.reopen(ADA, "s", clip.sha, blind=True)
    again = labelling.current(ADA, "s")
    assert again is not None
    text = side(labelling, ADA, again)
    assert clip.source.name not in text
    assert "the clip before you" in text
    out = undone(labelling, ADA, "s", blind=True)
    assert clip.source.name not in out[1]


def test_u_goes_on_with_the_decisions_of_earlier_sittings(labelling: LabelSession) -> None:
    first = shown(labelling, session="monday")
    choose(labelling, session="monday")
    labelling.leave("monday")
    later = LabelSession(
        labelling.services, np.random.default_rng(1), clips=QuickShelf(labelling.services)
    )
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


def test_u_spares_another_page_that_is_open(labelling: LabelSession) -> None:
    shown(labelling, session="one")
    choose(labelling, session="one")
    shown(labelling, session="two")
    with pytest.raises(NothingToUndoError):
        labelling.undo(ADA, "two", blind=False)


def test_a_late_key_brings_the_page_up_to_date(labelling: LabelSession) -> None:
    old = shown(labelling).ticket
    choose(labelling)
    out = decided(labelling, ADA, "s", LabelDecision(old, "label", "joy"), blind=False)
    now = labelling.current(ADA, "s")
    assert now is not None
    assert now.ticket in out[0]
    assert "refused" in out[1]
    assert labelling.services.store.revision == 1


def test_a_key_without_a_clip_is_answered(tmp_path: Path) -> None:
    services = Services(AppSettings(home=tmp_path / "empty"))
    labelling = LabelSession(services, np.random.default_rng(0), clips=QuickShelf(services))
    out = decided(labelling, ADA, "s", LabelDecision("", "label", "joy"), blind=False)
    assert "no clip to label" in out[1]
    assert "nothing to label yet" in out[0]


def test_the_picture_is_the_plain_one_for_those_who_label_blind(labelling: LabelSession) -> None:
    request = gr.Request(session_hash="s", headers={"host": "127.0.0.1"})
    who = labelling.services.identity.annotator(request)
    draw = picturer(labelling)
    assert draw(request) is None  # no clip yet
    ready = PreparedClip(b"", ".wav", "data:,", "full", plain="plain")  # type: ignore[arg-type]
    for blind, expected in ((False, "full"), (True, "plain")):
        clip = labelling.open(who, "s", blind=blind)
        assert clip is not None
        labelling._session(who, "s").shown = replace(clip, ready=ready)
        assert draw(request) == expected


def test_looking_again_at_the_same_clip_keeps_what_was_said(labelling: LabelSession) -> None:
    labelling.scores_in_background = False
    assert "press the digit" in opened(labelling, ADA, "s", blind=False)[1]
    assert opened(labelling, ADA, "s", blind=False)[1] == gr.skip()


def test_who_may_not_label_is_told_in_place_of_a_clip(labelling: LabelSession) -> None:
    out = opened(labelling, NOBODY, "n", blind=False)
    assert "No clip can be shown" in out[0]
    assert "Sign in" in out[1]


def test_on_gold_clips_the_answers_of_others_are_no_conflict(labelling: LabelSession) -> None:
    clip = shown(labelling)
    labelling.queue().gold = {clip.sha: ""}
    vote = LabelEvent(action="label", annotator="bob", clip=clip.sha, emotion="fear")
    labelling.services.store.append(vote)
    labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "anger"))
    assert labelling.services.store.clip(clip.sha).whole() == {"ada": "anger", "bob": "fear"}


def test_practice_saves_nothing_and_ends_when_clips_come(labelling: LabelSession) -> None:
    first = labelling.practise(ADA, "s", blind=False)
    out = decided(labelling, ADA, "s", LabelDecision(first.ticket, "label", "joy"), blind=False)
    assert "Practice, not saved: joy." in out[1]
    second = labelling.current(ADA, "s")
    assert second is not None
    assert second.sha != first.sha
    with pytest.raises(PageError, match="not saved"):
        labelling.decide(ADA, "s", LabelDecision(second.ticket, "label", "joy"))
    assert labelling.services.store.events() == []
    labelling.end_practice(ADA, "s")
    assert shown(labelling).why != "practice"


def test_a_segment_is_kept_with_its_ends_and_the_clip_stays(labelling: LabelSession) -> None:
    clip = shown(labelling)
    choice = LabelDecision(clip.ticket, "label", "joy", segment=(0.25, 0.75))
    out = decided(labelling, ADA, "s", choice, blind=False)
    assert "joy, 0.25–0.75 s." in out[1]
    again = shown(labelling)
    assert again.sha == clip.sha
    assert again.ticket != clip.ticket
    assert [(one.start, one.end, one.emotion) for one in again.segments] == [(0.25, 0.75, "joy")]
    (event,) = labelling.services.store.events()
    assert (event.start, event.end, event.prediction) == (0.25, 0.75, "")
    assert again.mine == "", "the whole clip has no label yet"


@pytest.mark.parametrize(
    "segment", [(-0.1, 0.5), (0.5, 0.5), (0.8, 0.2), (0.5, 99.0), (float("nan"), 1.0)]
)
def test_a_segment_outside_the_clip_saves_nothing(
    labelling: LabelSession, segment: tuple[float, float]
) -> None:
    clip = shown(labelling)
    with pytest.raises(PageError, match="not inside the clip"):
        labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "joy", segment=segment))
    assert labelling.services.store.events() == []


def test_a_moved_segment_takes_the_place_of_the_one_before(labelling: LabelSession) -> None:
    clip = shown(labelling)
    labelling.decide(ADA, "s", LabelDecision(clip.ticket, "label", "joy", segment=(0.25, 0.75)))
    labelling.decide(
        ADA, "s",
        LabelDecision(
            shown(labelling).ticket, "label", "joy", segment=(0.25, 0.6), replaces=(0.25, 0.75)
        ),
    )  # fmt: skip
    assert [(one.start, one.end) for one in shown(labelling).segments] == [(0.25, 0.6)]
    with pytest.raises(NothingToUndoError):
        labelling.services.store.withdraw("ada", clip.sha, 0.25, 0.75)


def test_a_segment_is_removed_whenever_it_was_labelled(labelling: LabelSession) -> None:
    clip = shown(labelling)
    for emotion in ("joy", "fear"):  # relabelled: neither comes back
        ticket = shown(labelling).ticket
        labelling.decide(ADA, "s", LabelDecision(ticket, "label", emotion, segment=(0.1, 0.4)))
    ticket = shown(labelling).ticket
    labelling.decide(ADA, "s", LabelDecision(ticket, "label", "calm", segment=(0.2, 0.9)))
    ticket = shown(labelling).ticket
    out = decided(labelling, ADA, "s", LabelDecision(ticket, "remove", segment=(0.1, 0.4)),
                  blind=False)  # fmt: skip
    assert "removed, 0.10–0.40 s" in out[1]
    assert [one.emotion for one in shown(labelling).segments] == ["calm"]
    ticket = shown(labelling).ticket
    out = decided(labelling, ADA, "s", LabelDecision(ticket, "remove"), blind=False)
    assert "No segment is chosen" in out[1]
    assert shown(labelling).sha == clip.sha


def test_segments_are_suggested_where_somebody_speaks_and_nothing_is_labelled(
    labelling: LabelSession,
) -> None:
    path = Path(__file__).resolve().parents[3] / "examples" / "2_lively.flac"
    clip = shown(labelling)
    windows = [{"start": 0.0, "end": 2.7, "emotion": "joy"}]
    ready = replace(clip.ready, data=path.read_bytes(), prediction={"windows": windows})
    labelling._session(ADA, "s").shown = replace(clip, ready=ready)
    (one,) = labelling.suggest(ADA, "s", clip.ticket)
    assert one.emotion == "joy"
    assert 0.05 < one.start < 0.4
    assert 1.8 < one.end < 2.6
    labelling._session(ADA, "s").shown = replace(clip, ready=ready, blind=True)
    assert labelling.suggest(ADA, "s", clip.ticket)[0].emotion == ""
    done = replace(clip, ready=ready, segments=(one,))
    labelling._session(ADA, "s").shown = done
    assert labelling.suggest(ADA, "s", clip.ticket) == []
    with pytest.raises(PageError):
        labelling.suggest(ADA, "s", "another:")


def test_another_model_answers_for_the_clip_on_the_page(labelling: LabelSession) -> None:
    request = gr.Request(session_hash="s", headers={"host": "127.0.0.1"})
    who = labelling.services.identity.annotator(request)
    switch = switcher(labelling)
    event = gr.EventData(None, {"value": "encoder"})
    assert all(one == gr.skip() for one in switch(False, event, request))  # no clip is there yet
    shown = labelling.open(who, "s", blind=False)
    assert shown is not None
    assert shown.source.name in switch(False, event, request)[0]
    assert labelling._sessions["s"].model == "encoder"
