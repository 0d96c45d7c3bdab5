"""The file of out-of-fold predictions: whole or not at all, and never half believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from label_store.candidate import Candidate, QueueSettings
from label_store.errors import SaveError, StoreError
from label_store.out_of_fold import (
    FoldModel,
    OutOfFoldPrediction,
    OutOfFoldPredictions,
    read_predictions,
    write_predictions,
)
from label_store.queue import LabelQueue
from label_store.store import LabelStore

MADE = OutOfFoldPredictions(
    {
        "ab" * 32: OutOfFoldPrediction({"joy": 0.9, "fear": 0.1}, 1),
        "cd" * 32: OutOfFoldPrediction({"joy": 0.5, "fear": 0.5}, 0),
    },
    (FoldModel("one", 0.61, 1, 1), FoldModel("two", 0.58, 1, 2)),
    "2026-01-02T03:04:05+00:00",
    "hash",
    12,
    {"folds": 3},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "opinions.jsonl", MADE)
    return tmp_path / "opinions.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    assert read_predictions(path) == MADE
    assert [one.name for one in path.parent.iterdir()] == ["opinions.jsonl"]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "no JSON\n",
        "[]\n",
        '{"format": "another"}\n',
        '{"clip": "a", "probabilities": {"joy": 1}}\n',
        "\x00\x00",
    ],
)
def test_a_foreign_file_is_one_sentence(path: Path, broken: str) -> None:
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(StoreError, match=r"opinions\.jsonl can't be read.*python -m trainer"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("probabilities", {"joy": 1.0}),
        ("probabilities", {"joy": -0.1, "fear": 1.1}),
        ("probabilities", {"joy": float("nan"), "fear": 1.0}),
        ("probabilities", {"joy": 0.0, "fear": 0.0}),
        ("probabilities", [0.1, 0.9]),
        ("fold", 2),
        ("fold", "x"),
        ("clip", None),
    ],
)
def test_one_wrong_row_spoils_the_file(path: Path, name: str, value: object) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[1]) | {name: value}
    if value is None:
        del row[name]
    path.write_text("\n".join([lines[0], json.dumps(row), lines[2]]) + "\n", encoding="utf-8")
    with pytest.raises(StoreError, match="None of it counts"):
        read_predictions(path)


@given(share=some.floats(0.0, 0.999))
def test_a_file_that_was_cut_is_never_half_believed(
    share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "opinions.jsonl"
    write_predictions(path, MADE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * (len(whole) - 1))])
    with pytest.raises(StoreError):
        read_predictions(path)


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="goes on from the folds that are done"):
        write_predictions(tmp_path / "file" / "opinions.jsonl", MADE)


def test_label_errors_follow_the_model_that_left_the_speaker_out(tmp_path: Path) -> None:
    sure, wrong = {"joy": 0.97, "fear": 0.03}, {"joy": 0.1, "fear": 0.9}
    clips = [letter * 64 for letter in "abcde"]
    candidates = [
        # Trained on: the champion agrees, the fold's model doesn't.
        Candidate(
            clips[0], emotion="joy", probabilities=sure, speaker_held_out=False, out_of_fold=wrong
        ),
        # Never heard: the champion's own word goes over the fold's.
        Candidate(
            clips[1], emotion="joy", probabilities=sure, speaker_held_out=True, out_of_fold=wrong
        ),
        # Trained on, and no other was asked.
        Candidate(clips[2], emotion="joy", probabilities=wrong, speaker_held_out=False),
        # The champion was not asked.
        Candidate(clips[3], emotion="joy", out_of_fold=wrong),
        # The fold's model agrees.
        Candidate(
            clips[4], emotion="joy", probabilities=wrong, speaker_held_out=False, out_of_fold=sure
        ),
    ]
    queue = LabelQueue(
        LabelStore(tmp_path), candidates, np.random.default_rng(0),
        QueueSettings(strategy="label-error"),
    )  # fmt: skip
    assert queue.known() == 2
    reasons = {}
    for _ in clips:
        ticket = queue.next("ada", "s", prefetched=list(reasons))
        if ticket is not None:
            reasons[ticket.candidate.clip] = ticket.why
    suspected = {clip for clip, why in reasons.items() if why == "label-error"}
    assert suspected <= {clips[0], clips[3]}
    assert [one.out_of_sample for one in candidates] == [wrong, sure, None, wrong, sure]
