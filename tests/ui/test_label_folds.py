"""Opinions of speaker folds on the page: followed, preferred where they must be, never a crash."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from label_store.corpus_table import CorpusRow, Query
from label_store.fold_opinions import FILE, Fold, FoldOpinions, Said, write_opinions
from ui import label_parts
from ui.corpus import HINT, view
from ui.corpus_catalogue import Source
from ui.corpus_desk import CorpusDesk
from ui.label_desk import Desk
from ui.label_opinions import Heard, Opinions
from ui.services import AppSettings, Services

NAMES = ("03a01Fa.wav", "03a02Wa.wav", "09a01Na.wav")
"""Two of a speaker that trains (joy, anger), one of a speaker that doesn't (neutral)."""

SAYS_SADNESS = {"anger": 0.02, "joy": 0.02, "neutral": 0.02, "sadness": 0.94}
SAYS_JOY = {"anger": 0.02, "joy": 0.94, "neutral": 0.02, "sadness": 0.02}


@pytest.fixture
def services(tmp_path: Path) -> Services:
    folder = tmp_path / "home" / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(b"RIFF" + bytes([number]) * 30)
    return Services(AppSettings(home=tmp_path / "home"))


def clips(services: Services) -> dict[str, tuple[str, Source]]:
    found = services.catalogue.hashed(services.catalogue.listing().sources)
    return {one.name.rpartition("/")[2]: (sha, one) for sha, one in found.items()}


def write(services: Services, said: dict[str, dict[str, float]]) -> None:
    write_opinions(
        services.home / FILE,
        FoldOpinions(
            {sha: Said(shares, 0) for sha, shares in said.items()},
            (Fold("fold-0", 0.5, len(said), 2),),
        ),
    )


def settled(desk: CorpusDesk) -> dict[str, CorpusRow]:
    """Return the rows once the table's own threads have caught up."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        desk.table()
        if desk._folded == desk.folds.stamp() and all(r.clip for r in desk.page(Query()).rows):
            break
        time.sleep(0.02)
    return {row.file_name.rpartition("/")[2]: row for row in desk.page(Query()).rows}


def test_the_queue_follows_the_file_and_prefers_it_where_the_model_was_trained(
    services: Services,
) -> None:
    found = clips(services)
    assert {name: one.side for name, (_, one) in found.items()}["03a01Fa.wav"] == "train"
    Opinions(services).add({sha: Heard(SAYS_SADNESS, 0.1) for sha, _ in found.values()})
    desk = Desk(services, np.random.default_rng(0))
    desk.choose_by("label-error")
    before = desk.pool.known()
    trained = sum(one.side == "train" for _, one in found.values())
    assert (before.suspected, before.in_training) == (len(found) - trained, trained)
    assert "python -m trainer opinions" in label_parts.known(before, listening=False)

    write(services, {found["03a01Fa.wav"][0]: SAYS_JOY, found["03a02Wa.wav"][0]: SAYS_JOY})
    desk.pool.learn()
    known = desk.pool.known()
    assert known.suspected == len(found) - 1, "the file's anger that sounds like joy comes in"
    assert (known.unheard, known.in_training) == (2, trained - 2)
    text = label_parts.known(known, listening=False)
    assert "judge the labels of 2 clips" in text
    assert "python -m trainer opinions" not in text, "no clip is left that would need it"

    (services.home / FILE).unlink()
    desk.pool.learn()
    assert desk.pool.known().suspected == before.suspected


def test_the_column_of_suspected_errors_uses_them(services: Services) -> None:
    found = clips(services)
    Opinions(services).add({sha: Heard(SAYS_SADNESS) for sha, _ in found.values()})
    desk = CorpusDesk(services)
    before = settled(desk)
    assert "suspected-error" not in before["03a02Wa.wav"].problems
    assert "suspected-error" in before["09a01Na.wav"].problems

    write(services, {sha: SAYS_JOY for sha, _ in found.values()})
    rows = settled(desk)
    assert rows["03a01Fa.wav"].problems == ()
    assert rows["03a02Wa.wav"].problems == ("suspected-error",)
    said = rows["03a02Wa.wav"].opinion
    assert said is not None
    assert (said.emotion, said.model_version) == ("joy", "fold-0")
    own = rows["09a01Na.wav"].opinion
    assert own is not None
    assert own.emotion == "sadness", "the champion never heard this speaker: its word stays"
    assert "python -m trainer opinions" in HINT


def test_they_count_where_the_model_was_never_asked(services: Services) -> None:
    found = clips(services)
    write(services, {sha: SAYS_JOY for sha, _ in found.values()})
    rows = settled(CorpusDesk(services))
    assert rows["09a01Na.wav"].problems == ("suspected-error",)
    assert rows["03a02Wa.wav"].problems == ("suspected-error",)


@pytest.mark.parametrize("text", ["", "torn {", '{"format": "of somebody else"}\n'])
def test_a_broken_file_is_a_sentence_on_both_tabs(services: Services, text: str) -> None:
    found = clips(services)
    Opinions(services).add({sha: Heard(SAYS_SADNESS, 0.1) for sha, _ in found.values()})
    (services.home / FILE).write_text(text, encoding="utf-8")
    desk = Desk(services, np.random.default_rng(0))
    desk.choose_by("label-error")
    known = desk.pool.known()
    assert (known.unheard, known.suspected) == (0, 1)
    assert "opinions.jsonl can" in label_parts.known(known, listening=False)
    table = CorpusDesk(services)
    settled(table)
    assert "opinions.jsonl can" in view(table, Query(), "")[1]

    write(services, {found["03a02Wa.wav"][0]: SAYS_JOY})
    desk.pool.learn()
    assert desk.pool.known().trouble == ""
    assert "opinions.jsonl can" not in view(table, Query(), "")[1]
