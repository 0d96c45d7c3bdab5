"""What the queue promises: no clip before two people by accident, and the telling ones first."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from label_store import LabelEvent, LabelStore, StoreError, scores
from label_store.candidate import Candidate, QueueSettings
from label_store.leases import MOST_OF_A_SESSION, MOST_OF_AN_ANNOTATOR, Leases
from label_store.queue import LabelQueue

CLIPS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(40)]


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> LabelStore:
    return LabelStore(tmp_path, clock=clock)


def candidates() -> list[Candidate]:
    # The later the clip, the surer the model.
    return [
        Candidate(clip, f"{n}.wav", probabilities={"joy": 0.5 + n / 100, "fear": 0.5 - n / 100})
        for n, clip in enumerate(CLIPS)
    ]


def queue(store: LabelStore, clock: Clock, seed: int = 0, **settings) -> LabelQueue:
    settings = {"overlap": 0.0} | settings
    return LabelQueue(
        store, candidates(), np.random.default_rng(seed), QueueSettings(**settings), clock=clock
    )


def label(store: LabelStore, clip: str, annotator: str, action: str = "label") -> None:
    emotion = "joy" if action == "label" else ""
    store.append(LabelEvent(action=action, annotator=annotator, clip=clip, emotion=emotion))


def test_two_people_share_the_clips_without_one_twice(store, clock, tmp_path) -> None:
    ada = queue(store, clock, 1)
    ben = queue(LabelStore(tmp_path, clock=clock), clock, 2)
    seen: list[str] = []
    for _ in range(20):
        for name, mine in (("ada", ada), ("ben", ben)):
            ticket = mine.next(name, f"{name}-browser")
            seen.append(ticket.candidate.clip)
            label(mine.store, seen[-1], name)
    assert sorted(seen) == sorted(CLIPS)
    assert ada.next("ada", "ada-browser") is None


def test_a_reload_gets_its_clip_back_and_a_second_browser_another(store, clock) -> None:
    first = queue(store, clock).next("ada", "laptop")
    again = queue(store, clock, 7).next("ada", "laptop")
    assert (again.candidate, again.why) == (first.candidate, "resumed")
    other = queue(store, clock).next("ada", "phone")
    assert other.candidate.clip != first.candidate.clip


def test_clips_fetched_ahead_are_not_given_again(store, clock) -> None:
    mine = queue(store, clock)
    shown = mine.next("ada", "s").candidate.clip
    fetched = mine.next("ada", "s", prefetched=[shown]).candidate.clip
    assert fetched != shown
    assert mine.next("ada", "s", prefetched=[shown, fetched]).candidate.clip not in {shown, fetched}


def test_leases_expire_and_are_renewed_when_the_page_is_loaded_again(store, clock) -> None:
    mine = LabelQueue(
        store, candidates()[:1], np.random.default_rng(0), QueueSettings(overlap=0), clock=clock
    )
    ticket = mine.next("ada", "s")
    assert mine.next("ben", "t") is None
    clock.now += 200
    assert mine.next("ada", "s").why == "resumed"
    clock.now += 200
    assert mine.next("ben", "t") is None
    clock.now += 200
    assert mine.next("ben", "t").candidate == ticket.candidate


def test_visitors_keep_no_writer_waiting_and_keep_their_own_clip(store, clock) -> None:
    mine = LabelQueue(
        store, candidates()[:3], np.random.default_rng(0), QueueSettings(overlap=0), clock=clock
    )
    shown = {f"v{n}": mine.next("visitor", f"v{n}", binding=False) for n in range(3)}
    written = {mine.next("ada", "s", prefetched=[]).candidate.clip}
    for _ in range(2):
        written.add(mine.next("ada", "s", prefetched=sorted(written)).candidate.clip)
    assert len(written) == 3  # every clip is open to her, whatever visitors look at
    again = mine.next("visitor", "v0", binding=False)
    assert (again.candidate, again.why) == (shown["v0"].candidate, "resumed")


def test_one_holder_has_a_bounded_number_of_clips(tmp_path) -> None:
    leases = Leases(tmp_path, clock=lambda: 1000.0)
    with leases.exclusive() as table:
        for n in range(30):
            table.take(f"c{n}", "ada", "s", 300)
        held = [lease.clip for lease in table.held("ada", "s")]
        assert held == [f"c{n}" for n in range(30 - MOST_OF_A_SESSION, 30)]
        for session in range(200):
            table.take(f"v{session}", "visitor", f"v{session}", 300, binding=False)
        assert sum(one.annotator == "visitor" for one in table.leases) == MOST_OF_AN_ANNOTATOR
        assert table.held("ada", "s")  # others lose nothing by it
    assert len(leases.active()) == MOST_OF_A_SESSION + MOST_OF_AN_ANNOTATOR


def test_leases_of_an_earlier_version_are_read(tmp_path) -> None:
    old = {"clip": "c", "annotator": "ada", "session": "s", "taken": 1000.0, "until": 1300.0}
    (tmp_path / "leases.json").write_text(json.dumps([old]))
    (lease,) = Leases(tmp_path, clock=lambda: 1100.0).active()
    assert lease.binding


def test_a_lease_from_the_future_does_not_hold_after_the_clock_jumped_back(store, clock) -> None:
    clock.now += 1e6
    ticket = queue(store, clock).next("ada", "s")
    clock.now -= 1e6
    assert ticket.lease not in queue(store, clock).leases.active()


def test_the_most_uncertain_clips_come_first_beside_a_random_share(store, clock) -> None:
    mine = queue(store, clock, random_share=0.2)
    reasons = Counter()
    chosen: list[int] = []
    for _ in range(30):
        ticket = mine.next("ada", "s")
        reasons[ticket.why] += 1
        if ticket.why == "entropy":
            chosen.append(CLIPS.index(ticket.candidate.clip))
        label(store, ticket.candidate.clip, "ada")
    assert chosen == sorted(chosen)
    assert 1 <= reasons["random"] <= 15
    with pytest.raises(StoreError, match="random_share"):
        QueueSettings(random_share=0.1)


def test_skipped_clips_come_last(store, clock) -> None:
    mine = queue(store, clock)
    skipped = mine.next("ada", "s").candidate.clip
    label(store, skipped, "ada", "skip")
    order = []
    while ticket := mine.next("ada", "s"):
        order.append(ticket.candidate.clip)
        label(store, order[-1], "ada")
    assert order[-1] == skipped
    assert len(order) == len(CLIPS)


def test_a_chosen_share_goes_to_two_people(store, clock) -> None:
    mine = queue(store, clock, overlap=0.5)
    for name in ("ada", "ben", "eve"):
        while ticket := mine.next(name, name):
            label(store, ticket.candidate.clip, name)
    annotations = Counter(len(store.clip(clip).whole()) for clip in CLIPS)
    twice = sum(int(clip[:8], 16) / 2**32 < 0.5 for clip in CLIPS)
    assert annotations == {2: twice, 1: len(CLIPS) - twice}


def test_progress_counts_and_paces(store, clock) -> None:
    mine = queue(store, clock)
    for clip in CLIPS[:5]:
        label(store, clip, "ada")
        clock.now += 36
    label(store, CLIPS[5], "ada", "skip")
    label(store, CLIPS[6], "ben")
    progress = mine.progress("ada")
    assert (progress.done, progress.skipped, progress.remaining) == (5, 1, 34)
    assert progress.per_hour == pytest.approx(100)
    assert mine.progress("eve").per_hour is None


def test_scores_order_what_they_should() -> None:
    sure, split = [0.9, 0.05, 0.05], [0.45, 0.45, 0.1]
    assert scores.entropy([sure, split]).argmax() == 1
    assert scores.margin([sure, split]).argmax() == 1
    # Draws that contradict each other teach; draws that all say "I don't know" do not.
    doubt = [[[0.5, 0.5], [0.5, 0.5]], [[0.95, 0.05], [0.05, 0.95]]]
    assert scores.bald(doubt)[1] > 0.4 > 1e-9 > scores.bald(doubt)[0]
    with pytest.raises(StoreError):
        scores.entropy([[float("nan"), 1.0]])


def test_a_wrong_label_is_the_most_suspicious() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 20)
    probabilities = np.full((60, 3), 0.05) + rng.uniform(0, 0.02, (60, 3))
    probabilities[np.arange(60), truth] = 0.9
    names = ["anger", "joy", "neutral"]
    given = [names[place] for place in truth]
    given[7] = "joy"
    probabilities[7, 0] = 2.0
    assert scores.label_error(given, probabilities, names).argmax() == 7
    assert np.flatnonzero(scores.label_issues(given, probabilities, names)).tolist() == [7]


def test_bald_puts_first_what_the_draws_differ_on(store, clock) -> None:
    mine = queue(store, clock, strategy="bald", random_share=0.2)
    mine.replace([Candidate(clip, information=n / 100) for n, clip in enumerate(CLIPS[:20])])
    tickets = [mine.next("ada", "s", prefetched=CLIPS[:0])]
    while tickets[-1] is not None:
        label(store, tickets[-1].candidate.clip, "ada")
        tickets.append(mine.next("ada", "s"))
    ranked = [CLIPS.index(one.candidate.clip) for one in tickets[:-1] if one.why == "bald"]
    assert ranked == sorted(ranked, reverse=True)
    assert len(ranked) > 10
    samples = [[0.9, 0.1], [0.1, 0.9]]
    mine.replace([Candidate(CLIPS[0], samples=samples), Candidate(CLIPS[1], information=0.01)])
    assert mine.known() == 2
    assert mine._ranked(store.state()).tolist() == [0, 1]


def test_no_clip_that_the_model_heard_in_training_is_called_a_suspected_error(store, clock) -> None:
    wrong = {"joy": 0.95, "fear": 0.05}
    mine = queue(store, clock, strategy="label-error", random_share=0.2)
    mine.replace(
        [
            Candidate(
                clip,
                emotion="fear" if n < 20 else "joy",
                probabilities=wrong,
                speaker_held_out=n % 2 > 0,
            )
            for n, clip in enumerate(CLIPS)
        ]
    )
    assert mine.known() == 10
    found = {}
    while (ticket := mine.next("ada", "s")) is not None:
        found[CLIPS.index(ticket.candidate.clip)] = ticket.why
        label(store, ticket.candidate.clip, "ada")
    called = {n for n, why in found.items() if why == "label-error"}
    assert called
    assert called <= set(range(1, 20, 2))
    assert len(found) == len(CLIPS)
    assert set(found.values()) == {"label-error", "random", "waiting"}


def test_an_order_says_of_how_many_clips_it_knows(store, clock) -> None:
    mine = queue(store, clock)
    mine.replace([*candidates()[:5], *(Candidate(clip) for clip in CLIPS[5:])])
    assert mine.known() == 5
    for strategy in ("random", "balance", "disagreement"):
        other = queue(store, clock, strategy=strategy)
        assert other.known() == len(CLIPS)


def test_clips_without_a_label_come_first_whatever_the_strategy(tmp_path: Path) -> None:
    clips = [
        Candidate(
            f"{place:064x}", emotion="" if place % 3 == 0 else "joy", unlabelled=place % 3 == 0
        )
        for place in range(1, 31)
    ]
    for strategy in ("random", "balance", "entropy"):
        settings = QueueSettings(strategy=strategy)
        home = tmp_path / strategy
        queue = LabelQueue(LabelStore(home), clips, np.random.default_rng(0), settings)
        first = [queue.next("ada", str(number)) for number in range(10)]
        assert all(ticket is not None and ticket.candidate.unlabelled for ticket in first)
