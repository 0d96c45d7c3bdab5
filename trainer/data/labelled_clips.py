"""Labels as clips: where the sound of a label is, on which side it trains, and why it may not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from label_store.consensus import ConsensusLabel
from label_store.store import LabelStore
from label_store.trust import Trust
from ser_core.corpora.clip import Clip, Problem, segment_key
from ser_core.corpora.committed_sides import TABLES, Side
from ser_core.corpora.grouping import person_of, rank
from ser_core.corpora.lookup import FileLookup, FoundFile
from ser_core.corpora.splits import HELD_OUT_SHARE, side_of
from ser_core.emotions import canonical
from ser_core.errors import UnknownEmotionError

CORPUS = "corrections"
"""What the annotators' own clips are called where a corpus is named."""


MISSING = "the file is missing; put it under corpora/, and the label counts"
TEST_SPEAKER = "a clip of a test speaker: the corpus's label stays"
OPEN_REASONS = {
    "tie": "the annotators differ; a reviewer decides on the Corpus tab",
    "too-few-annotations": "fewer annotators than a label needs",
    "unsure": "the annotators are too unreliable to decide",
}
UNTRUSTED = "by annotators who are not trusted"
PRACTISING = "made before its annotator passed the practice round"
SUPERSEDED = "the clip has another label, made after its file came"
FEWEST_ALONE = 30
"""Labels that are needed to learn without any corpus."""


FEWEST_LABELS = 10
FEWEST_SPEAKERS = 2
"""Labels of an emotion, and speakers or sessions that they are of, that add an output for it."""


def unknown_emotion(emotion: str) -> str:
    """Return the reason of a label that the model can't learn."""
    return (
        f"the model doesn't know {emotion}, which {FEWEST_LABELS} labels by {FEWEST_SPEAKERS} "
        "speakers would add"
    )


def finder(root: Path, unpacked: Path | None = None) -> Callable[[str, str], Path | None]:
    """Return what finds a file of the corpora by its corpus and name; it looks when first asked.

    Args:
        root: the folder of corpora.
        unpacked: folder into which archives are unpacked; None leaves them out.
    """
    held: list[FileLookup] = []

    def find(corpus: str, file_name: str) -> Path | None:
        if not held:
            held.append(FileLookup.of_folder(root, unpacked))
        found = held[0].find(corpus, file_name)
        return found.path if isinstance(found, FoundFile) else None

    return find


def renamed_rows(store: LabelStore, problems: Sequence[Problem]) -> list[ConsensusLabel]:
    """Return the rows of corpora whose file was missing until a person corrected its name.

    Nobody labelled them: the emotion is the table's.

    Args:
        store: the renames.
        problems: what the corpora's readers could not take.
    """
    missing = {
        (one.corpus, one.file_name): one for one in problems if one.kind == "missing-file"
    }
    found = []
    for view in store.state().clips():
        if view.clip or view.annotations or view.reviews:
            continue
        corpus, _, former = view.key.removeprefix("name:").partition("/")
        row = missing.get((corpus, former))
        if row is None or view.file_name == former:
            continue
        try:
            emotion = canonical(row.emotion)
        except UnknownEmotionError:
            continue
        found.append(
            ConsensusLabel(
                "", view.file_name, corpus, emotion, {emotion: 1.0}, (), None, view.head or ""
            )
        )
    return found


Speakers = Mapping[Path | tuple[str, str], str]
"""File, or corpus and file name -> who speaks, as `Clip.person` says it."""


def row_speakers(store: LabelStore, problems: Sequence[Problem]) -> Speakers:
    """Return the speakers of table rows that are not clips yet: without an emotion, or faulty.

    A label of such a row is on its speaker's side: who tests is not trained on, whoever labels.

    Args:
        store: the renames.
        problems: what the corpora's readers could not take.
    """
    state = store.state()
    found: dict[Path | tuple[str, str], str] = {}
    for one in problems:
        if not one.speaker:
            continue
        person = f"{one.corpus}/{one.speaker}"
        if one.path is not None:
            found[one.path] = person
        key = f"name:{one.corpus}/{one.file_name}"
        now = state.clip(key).file_name if key in state else ""
        found[one.corpus, now or one.file_name] = person
    return found


def spoken_by(clip: Clip, path: Path | None, label: ConsensusLabel, speakers: Speakers) -> Clip:
    """Return a labelled clip with the speaker that a table's row names, where one does.

    Args:
        clip: from `clip_of`.
        path: the corpus's file, or None.
        label: what was labelled.
        speakers: from `row_speakers`.
    """
    person = speakers.get((label.corpus, label.file_name), "")
    if path is not None:
        person = speakers.get(path, person)
    if not person:
        return clip
    family, _, speaker = person.partition("/")
    return dataclasses.replace(clip, speaker=speaker, family=family)


def uncounted_labels(
    store: LabelStore,
    trusted: Trust | Collection[str] | None,
    keys: Collection[str] | None = None,
) -> dict[str, list[str]]:
    """Return reason -> file names of labels that don't count, whoever else labelled the clip.

    Args:
        store: the labels.
        trusted: whose annotations count, or the names of those annotators; None = everybody's.
        keys: only these clips, by key; None = all.
    """
    trust = Trust.of(trusted)
    if trust == Trust():
        return {}
    state = store.state()
    found: dict[str, list[str]] = {}
    for view in state.clips() if keys is None else map(state.clip, keys):
        for span in {*view.annotations, *view.reviews}:
            given = list(view.annotations.get(span, {}).values())
            given += [view.reviews[span]] if span in view.reviews else []
            if not any(map(trust.counts, given)):
                practising = any(trust.trusts(entry.annotator) for entry in given)
                found.setdefault(PRACTISING if practising else UNTRUSTED, []).append(view.file_name)
    return found


def session_of(store: LabelStore, clip_hash: str) -> str:
    """Return the session in which a clip first came to the store, or its hash without one."""
    events = store.events(clip_hash)
    return next((event.session for event in events if event.session), clip_hash)


def side_of_label(clip: Clip, session: str) -> Side:
    """Return the side of a clip that is in none of the corpora.

    A speaker that the name gives away (an uploaded ``03-01-05-01-02-01-12.wav`` is RAVDESS's
    actor 12) decides by the committed tables; else all clips of a session go together, by a
    hash of the session that no later clip can change. They never test: nobody has checked who
    speaks in them, and a person's own label is not to judge promotions.
    """
    if person_of(clip).rpartition("/")[0] in TABLES:
        return side_of(clip)
    return "validation" if rank(f"{CORPUS}/{session}") < HELD_OUT_SHARE else "train"


def clip_of(label: ConsensusLabel, session: Callable[[str], str]) -> Clip:
    """Return a labelled clip that no corpus has; its speaker is named by the file or the session.

    Args:
        label: what was labelled.
        session: content hash to the session that the clip came in.
    """
    named = Path(label.file_name)
    clip = Clip(
        path=label.path or Path(label.file_name),
        corpus=CORPUS,
        key=segment_key(f"{label.clip_hash[:16] or 'named'}/{named.stem}", label.start, label.end),
        emotion=label.emotion,
        family=CORPUS,
        start=label.start,
        end=label.end,
    )
    family, _, speaker = person_of(clip).rpartition("/")
    if family in TABLES:
        return dataclasses.replace(clip, speaker=speaker, family=family)
    return dataclasses.replace(clip, speaker=session(label.clip_hash or label.file_name))
