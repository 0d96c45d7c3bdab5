"""The page says how many labels will train, and of each that will not why, as the trainer does."""

from __future__ import annotations

from pathlib import Path

from label_store.__main__ import main
from label_store.annotators import write_annotator_settings
from label_store.event import LabelEvent
from ser_core.audio import to_wav_bytes
from ser_core.corpora.base import content_hash
from tests.ui.conftest import voice
from ui import standing
from ui.identity import Annotator
from ui.services import Services

ADA = Annotator("ada", may_write=True, may_train=True)
VISITOR = Annotator("visitor", may_suggest=True)


def corpus(services: Services) -> Path:
    """Make a corpus of two RAVDESS actors: 01 trains, and 17 is on the test side."""
    folder = services.home / "corpora" / "ravdess"
    for number, actor in enumerate(("01", "17")):
        path = folder / f"Actor_{actor}" / f"03-01-05-01-01-01-{actor}.wav"
        path.parent.mkdir(parents=True)
        path.write_bytes(to_wav_bytes(voice(0.3 + number / 10), 16_000))
    return folder


def label(services: Services, name: str, emotion: str, *, by: str = "ada", clip: str = "") -> str:
    event = LabelEvent(
        action="label", annotator=by, clip=clip, file_name=name, corpus="ravdess", emotion=emotion
    )
    return services.store.append(event).event.key


def test_the_count_is_the_command_lines_with_reasons_one_click_away(
    services: Services, capsys
) -> None:
    files = sorted(corpus(services).rglob("*.wav"))
    sides = {one.name: one.side for one in services.catalogue.listing().sources}
    keys = [
        label(services, path.relative_to(services.home / "corpora" / "ravdess").as_posix(), "anger",
              clip=content_hash(path))
        for path in files
    ]  # fmt: skip
    assert standing.text(services, VISITOR) == ""
    expected = sum(side != "test" for side in sides.values())
    assert f"{expected} of 2 labels will train" in standing.text(services, ADA)
    label(services, "gone.wav", "anger")
    label(services, "both.wav", "anger")
    label(services, "both.wav", "joy", by="ben")
    label(services, "eve.wav", "joy", by="eve")
    write_annotator_settings(services.store.folder, {"ada", "ben"}, 0.05, by="ada")
    shown = standing.text(services, ADA)
    assert f"{expected} of 5 labels will train" in shown
    assert "gone.wav" in shown
    assert "annotators differ" in shown
    assert "not trusted" in shown
    assert main(["status"], {"SER_HOME": str(services.home)}) == 0
    assert f"{expected} of 5 labels will train." in capsys.readouterr().out
    for key, path in zip(keys, files, strict=True):
        side = sides[path.relative_to(services.home / "corpora" / "ravdess").as_posix()]
        assert ("test speaker" in services.standing.sentence(key)) == (side == "test")
    assert "the file is missing" in services.standing.sentence("name:ravdess/gone.wav")


def test_without_a_corpus_a_few_labels_are_said_to_be_too_few(services: Services) -> None:
    clip = services.store.keep_clip(to_wav_bytes(voice(0.3), 16_000), ".wav")
    services.store.append(
        LabelEvent(action="label", annotator="ada", clip=clip, file_name="a.wav", emotion="anger")
    )
    shown = standing.text(services, ADA)
    assert "0 of 1 labels will train" in shown
    assert "30 labels are needed" in shown
