"""The project's guidelines: written on the page or by hand, bounded, nobody's newer text lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from ser_core.home import Home
from tests.ui.conftest import voice
from ui.errors import PageError
from ui.identity import Annotator
from ui.label.guidelines import MOST, example_of, examples_of, read_guidelines, save_guidelines
from ui.label.guidelines_panel import EMPTY, saved, toggled
from ui.label.session import LabelSession
from ui.services import Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Suggestions wait for a review.")
TEXT = "# Joy\nA smile in the voice. <script>alert(1)</script> ![x](https://evil.example/x.png)"


@pytest.fixture
def labelling(services: Services) -> LabelSession:
    folder = services.home / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    for seconds, name in ((1.0, "03a01Fa"), (1.1, "03a01Wa")):
        (folder / f"{name}.wav").write_bytes(to_wav_bytes(voice(seconds), 16_000))
    return LabelSession(services, np.random.default_rng(0))


def test_what_is_saved_is_shown_the_next_time_and_loads_nothing(labelling: LabelSession) -> None:
    opened = toggled(labelling, ADA, False)
    assert opened[0]
    assert EMPTY.split("'")[0] in opened[3]
    text, note, held = saved(labelling, ADA, TEXT, "")
    assert (held, "were saved" in note) == (TEXT, True)
    assert "<script" not in text
    assert "![" not in text
    assert toggled(labelling, VISITOR, False)[2] == text
    assert not toggled(labelling, ADA, True)[0]
    assert Home(labelling.services.home).guidelines.read_text(encoding="utf-8") == TEXT


def test_a_newer_text_is_not_overwritten_and_visitors_write_none(services: Services) -> None:
    save_guidelines(services, ADA, "one", "")
    Home(services.home).guidelines.write_text("by hand", encoding="utf-8")
    with pytest.raises(PageError, match="changed the guidelines meanwhile"):
        save_guidelines(services, ADA, "two", "one")
    with pytest.raises(PageError, match="whose labels count"):
        save_guidelines(services, VISITOR, "two", "by hand")
    assert read_guidelines(services) == "by hand"
    save_guidelines(services, ADA, " ", "by hand")
    assert read_guidelines(services) == ""
    # Gone, they would come back from where labels are kept.
    assert Home(services.home).guidelines.read_bytes() == b""


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"x" * (MOST + 1), "longer than 20,000"),
        ("ü".encode() * 9 * MOST, "longer than 20,000"),
    ],
)
def test_a_file_that_cannot_be_shown_is_told(services: Services, held: bytes, told: str) -> None:
    path: Path = Home(services.home).guidelines
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(held)
    with pytest.raises(PageError, match=told):
        read_guidelines(services)


def test_there_is_an_example_of_each_emotion_for_those_who_may_hear(
    labelling: LabelSession,
) -> None:
    services = labelling.services
    assert 'data-emotion="joy"' in examples_of(services, ADA)
    assert 'data-emotion="fear"' not in examples_of(services, ADA)
    assert "<audio" in example_of(labelling, ADA, "page", "joy")
    assert "No example" in example_of(labelling, ADA, "page", "fear")
    assert examples_of(services, VISITOR) == ""
    with pytest.raises(PageError, match="only by those who may label"):
        example_of(labelling, VISITOR, "page", "joy")
