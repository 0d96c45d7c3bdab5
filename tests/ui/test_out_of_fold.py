"""Out-of-fold predictions on the page: followed, preferred where they must be, never a crash."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from label_store.corpus_rows import CorpusRow, TableQuery
from label_store.out_of_fold import (
    FILE,
    FoldModel,
    OutOfFoldPrediction,
    OutOfFoldPredictions,
    write_predictions,
)
from ui.catalogue import Source
from ui.corpus.session import CorpusTableService
from ui.corpus.tab import HINT, view
from ui.identity import Annotator
from ui.label import html
from ui.label.session import LabelSession
from ui.predictions import ClipPrediction, PredictionCache
from ui.services import AppSettings, Services

NAMES = ("03a01Fa.wav", "03a02Wa.wav", "09a01Na.wav")
"""Two of a speaker that trains (joy, anger), one of a speaker that doesn't (neutral)."""

ME = Annotator("me", may_write=True, may_suggest=True)
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
    write_predictions(
        services.home / FILE,
        OutOfFoldPredictions(
            {sha: OutOfFoldPrediction(shares, 0) for sha, shares in said.items()},
            (FoldModel("fold-0", 0.5, len(said), 2),),
        ),
    )


def settled(service: CorpusTableService) -> dict[str, CorpusRow]:
    """Return the rows once the table's own threads have caught up."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        service.table()
        if service._folded == service.folds.stamp() and all(
            r.clip for r in service.page(TableQuery()).rows
        ):
            break
        time.sleep(0.02)
    return {row.file_name.rpartition("/")[2]: row for row in service.page(TableQuery()).rows}


def test_the_queue_follows_the_file_and_prefers_it_where_the_model_was_trained(
    services: Services,
) -> None:
    found = clips(services)
    assert {name: one.side for name, (_, one) in found.items()}["03a01Fa.wav"] == "train"
    PredictionCache(services).add(
        {sha: ClipPrediction(SAYS_SADNESS, 0.1) for sha, _ in found.values()}
    )
    service = LabelSession(services, np.random.default_rng(0))
    service.choose_by("label-error")
    before = service.pool.known()
    trained = sum(one.side == "train" for _, one in found.values())
    assert (before.suspected, before.in_training) == (len(found) - trained, trained)
    assert "python -m trainer out-of-fold" in html.known(before, scoring=False)

    write(services, {found["03a01Fa.wav"][0]: SAYS_JOY, found["03a02Wa.wav"][0]: SAYS_JOY})
    service.pool.learn()
    known = service.pool.known()
    assert known.suspected == len(found) - 1, "the file's anger that sounds like joy comes in"
    assert (known.out_of_fold, known.in_training) == (2, trained - 2)
    text = html.known(known, scoring=False)
    assert "2 have out-of-fold predictions" in text
    assert "python -m trainer out-of-fold" not in text, "no clip is left that would need it"

    (services.home / FILE).unlink()
    service.pool.learn()
    assert service.pool.known().suspected == before.suspected


def test_the_column_of_suspected_errors_uses_them(services: Services) -> None:
    found = clips(services)
    PredictionCache(services).add({sha: ClipPrediction(SAYS_SADNESS) for sha, _ in found.values()})
    service = CorpusTableService(services)
    before = settled(service)
    assert "suspected-error" not in before["03a02Wa.wav"].problems
    assert "suspected-error" in before["09a01Na.wav"].problems

    write(services, {sha: SAYS_JOY for sha, _ in found.values()})
    rows = settled(service)
    assert rows["03a01Fa.wav"].problems == ()
    assert rows["03a02Wa.wav"].problems == ("suspected-error",)
    said = rows["03a02Wa.wav"].prediction
    assert said is not None
    assert (said.emotion, said.model_version) == ("joy", "fold-0")
    own = rows["09a01Na.wav"].prediction
    assert own is not None
    assert own.emotion == "sadness", "the champion was not trained on this speaker: its word stays"
    assert "python -m trainer out-of-fold" in HINT


def test_they_count_where_the_model_was_never_asked(services: Services) -> None:
    found = clips(services)
    write(services, {sha: SAYS_JOY for sha, _ in found.values()})
    rows = settled(CorpusTableService(services))
    assert rows["09a01Na.wav"].problems == ("suspected-error",)
    assert rows["03a02Wa.wav"].problems == ("suspected-error",)


@pytest.mark.parametrize("text", ["", "torn {", '{"format": "of somebody else"}\n'])
def test_a_broken_file_is_a_sentence_on_both_tabs(services: Services, text: str) -> None:
    found = clips(services)
    PredictionCache(services).add(
        {sha: ClipPrediction(SAYS_SADNESS, 0.1) for sha, _ in found.values()}
    )
    (services.home / FILE).write_text(text, encoding="utf-8")
    service = LabelSession(services, np.random.default_rng(0))
    service.choose_by("label-error")
    known = service.pool.known()
    assert (known.out_of_fold, known.suspected) == (0, 1)
    assert "opinions.jsonl can" in html.known(known, scoring=False)
    table = CorpusTableService(services)
    settled(table)
    assert "opinions.jsonl can" in view(table, ME, TableQuery(), "")[1]

    write(services, {found["03a02Wa.wav"][0]: SAYS_JOY})
    service.pool.learn()
    assert service.pool.known().trouble == ""
    assert "opinions.jsonl can" not in view(table, ME, TableQuery(), "")[1]
