"""Old clips beside the corrected ones: as many as asked for, and never the same few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.corpora.clip import Clip
from trainer.data.corrections import Joined, replay
from trainer.data.batches import Example, epoch_order
from trainer.data.decoded import DecodedClips
from trainer.data.prepare import Prepared
from trainer.settings import Settings

EMOTIONS = ("anger", "joy")


def example(corpus: str, number: int) -> Example:
    emotion = EMOTIONS[number % 2]
    clip = Clip(Path(f"{corpus}-{number}.wav"), corpus, f"{number % 7}", emotion)
    return Example(clip, f"{corpus}-{number}", (1.0, 0.0) if number % 2 == 0 else (0.0, 1.0))


@pytest.fixture
def joined(tmp_path: Path) -> Joined:
    old = [example("large", n) for n in range(400)] + [example("small", n) for n in range(40)]
    fresh = [example("corrections", n) for n in range(20)]
    prepared = Prepared(
        emotions=EMOTIONS,
        sides={"train": [*old, *fresh], "validation": old[:4], "test": []},
        decoded=DecodedClips(tmp_path),
        problems=[],
        notes=(),
    )
    return Joined(prepared, 0, {"train": 20}, {}, frozenset(item.digest for item in fresh))


def test_every_epoch_shows_other_old_clips(joined: Joined) -> None:
    wanted = Settings(replay=8.0, correction_weight=3.0)
    prepared, settings = replay(joined, wanted, np.random.default_rng(0))
    items = prepared.sides["train"]
    assert settings.epoch_clips == 20 + 8 * 20
    seen: set[str] = set()
    shares = []
    for epoch in range(20):
        order = epoch_order(items, EMOTIONS, settings, epoch)
        drawn = [items[place] for place in order.tolist()]
        seen |= {item.digest for item in drawn}
        shares.append(np.mean([item.clip.corpus == "corrections" for item in drawn]))
    assert np.mean(shares) == pytest.approx(3 / (3 + 8), abs=0.01)
    assert len(seen) > 0.95 * len(items)


def test_without_sampling_the_old_clips_are_drawn_once_and_evenly(joined: Joined) -> None:
    wanted = Settings(replay=2.0, balance="none")
    prepared, settings = replay(joined, wanted, np.random.default_rng(0))
    assert settings == wanted
    names = [item.clip.corpus for item in prepared.sides["train"]]
    assert {name: names.count(name) for name in names} == {
        "large": 20,
        "small": 20,
        "corrections": 20,
    }


@pytest.mark.parametrize("balance", ["sampling", "none"])
def test_replay_0_keeps_everything(joined: Joined, balance: str) -> None:
    wanted = Settings(replay=0.0, balance=balance)
    prepared, settings = replay(joined, wanted, np.random.default_rng(0))
    assert settings == wanted
    assert prepared == joined.prepared


@pytest.mark.parametrize("balance", ["sampling", "none"])
def test_the_least_replay_is_one_clip(joined: Joined, balance: str) -> None:
    wanted = Settings(replay=0.01, balance=balance)
    prepared, settings = replay(joined, wanted, np.random.default_rng(0))
    old = [item for item in prepared.sides["train"] if item.clip.corpus != "corrections"]
    if balance == "sampling":
        assert settings.epoch_clips == 21
    else:
        assert len(old) == 1


def test_corrections_are_a_fixed_share_however_few(joined: Joined) -> None:
    asked = Settings(epoch_clips=400, correction_share=0.25)
    prepared, settings = replay(joined, asked, np.random.default_rng(0))
    items = prepared.sides["train"]
    order = epoch_order(items, prepared.emotions, settings, 0)
    new = np.array([items[index].digest in joined.corrected for index in order.tolist()])
    assert new.mean() == pytest.approx(0.25, abs=0.02)
