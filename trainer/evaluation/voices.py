"""The same clips without and with the speaker's voice known, from neutral clips of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ser_core.backbones import Backbone
from ser_core.corpora.clip import Clip
from ser_core.inference.recognizer import Recognizer
from trainer.data.batches import Example, examples
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings, logits_of_states
from trainer.evaluation.evaluate import VoiceScore
from trainer.evaluation.heads import window_states
from trainer.evaluation.metrics import uar_by_corpus
from trainer.evaluation.predictions import assemble

NEUTRAL_CLIPS = 8
"""Neutral clips that a voice is taken from; fewer where a speaker has fewer."""
CLIPS_OF_A_SPEAKER = 100
"""Clips of one speaker that are scored at the most, drawn once."""


def voice_scores(
    model: Recognizer,
    clips: Sequence[Clip],
    decoded: DecodedClips,
    *,
    unseen: bool = False,
    seed: int = 0,
    tick: Callable[[int, int], None] | None = None,
) -> tuple[VoiceScore, ...]:
    """Score clips by corpus, without and with the voice of their speaker.

    A neutral clip is scored with a voice from the speaker's other ones. Speakers without neutral
    speech are left out of both figures.

    Args:
        model: whose head takes account of voices; of any other nothing is returned.
        clips: labelled clips of speakers that the model was not trained on.
        decoded: where the samples are, silent ends included.
        unseen: whether their corpora weren't trained on either; passed on.
        seed: which clips stand for a speaker.
        tick: called with clips done and clips in all while states are computed.
    """
    if type(model.model.backbone).voice_offset is Backbone.voice_offset:
        return ()
    known = [clip for clip in clips if clip.emotion in model.emotions and clip.person]
    digests, _ = decoded.prepare(known)
    items = _sampled(examples(known, digests, model.emotions), seed)
    if not items:
        return ()
    embeddings = Embeddings(model.model, model.specification, decoded, tick=tick)
    states, _ = window_states(embeddings, items)
    rows = [torch.from_numpy(one.astype(np.float32)) for one in states]
    scored, offsets = [], []
    for own in _by_person(items).values():
        neutral = [index for index in own if is_neutral_speech(items[index])]
        for index in own:
            sample = [other for other in neutral if other != index][:NEUTRAL_CLIPS]
            if sample:
                scored.append(index)
                offsets.append(_offset(model, torch.cat([rows[other] for other in sample])))
    if not scored:
        return ()
    plain = _uar(model, items, scored, [rows[index] for index in scored])
    moved = [rows[index] - offset for index, offset in zip(scored, offsets, strict=True)]
    voiced = _uar(model, items, scored, moved)
    found = [items[index].clip for index in scored]
    return tuple(
        VoiceScore(
            corpus,
            unseen,
            sum(clip.corpus == corpus for clip in found),
            len({clip.person for clip in found if clip.corpus == corpus}),
            plain[corpus],
            voiced[corpus],
        )
        for corpus in sorted(plain)
    )


def is_neutral_speech(item: Example) -> bool:
    """Return whether a clip tells how its speaker sounds; who sings neutrally doesn't speak so."""
    return item.clip.emotion == "neutral" and not item.clip.corpus.endswith("_song")


def _sampled(items: Sequence[Example], seed: int) -> list[Example]:
    """Return the clips without those of a speaker that are too many; neutral ones stay in front."""
    rng = np.random.default_rng(seed)
    shuffled = [items[index] for index in rng.permutation(len(items)).tolist()]
    kept: list[Example] = []
    for own in _by_person(shuffled).values():
        of_speaker = [shuffled[index] for index in own]
        neutral = [item for item in of_speaker if is_neutral_speech(item)][: NEUTRAL_CLIPS + 1]
        rest = [item for item in of_speaker if item not in neutral]
        drawn = rest[: CLIPS_OF_A_SPEAKER - len(neutral)]
        kept += [*neutral, *drawn]
    return kept


def _by_person(items: Sequence[Example]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        places.setdefault(item.clip.person, []).append(index)
    return places


def _offset(model: Recognizer, neutral: Tensor) -> Tensor:
    with torch.inference_mode():
        offset = model.model.backbone.voice_offset(neutral)
    assert offset is not None  # asked of the same backbone above
    return offset


def _uar(
    model: Recognizer, items: Sequence[Example], scored: Sequence[int], rows: Sequence[Tensor]
) -> dict[str, float]:
    logits = logits_of_states(model.model, torch.cat(list(rows)))
    counts = np.array([len(row) for row in rows])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    mean = np.add.reduceat(logits, starts, axis=0) / counts[:, None]
    clips = [items[index].clip for index in scored]
    found = assemble(model.emotions, model.calibration, clips, mean, model.emotions)
    return uar_by_corpus(found.outcomes)
