"""Labels that were made elsewhere: imported as a table, trained on, and heard in the new model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from label_store.__main__ import main
from ser_core.corpora import read_all
from ser_core.corpora.committed_sides import TABLES
from ser_core.home import Home
from ser_core.inference.recognizer import Recognizer
from ser_core.inference.windows import SpeechActivity
from trainer.lifecycle.run import run_once
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

SPOKEN = SpeechActivity(((0.0, 3600.0),))
OTHER = {"joy": "sadness", "sadness": "joy"}
QUIET = Callbacks(log=lambda line: None)


@pytest.mark.slow
def test_a_table_of_labels_from_elsewhere_becomes_a_model_that_has_learned_them(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path, capsys
) -> None:
    settings = dataclasses.replace(
        tiny_settings, epochs=8, learning_rate=0.05, augment=(), feature_augment=(), batch_size=6
    )
    shipped = fit(settings, tmp_path / "shipped", tmp_path / "run", tmp_path / "cache",
                  progress=QUIET).folder  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    (home / "corpora").symlink_to(tiny_corpora)
    clips = [clip for reading in read_all(tiny_corpora) for clip in reading.clips]
    taught = [clip for clip in clips if TABLES["cremad"][clip.speaker] != "test"]
    rows = [f"C:\\labels\\{one.path.name},{OTHER.get(one.emotion, one.emotion)}" for one in taught]
    table = tmp_path / "labels.csv"
    table.write_text("Filename,Emotion\n" + "\n".join(rows) + "\n")
    assert main(["import", str(table)], {"SER_HOME": str(home)}) == 0
    assert f"Saved {len(taught)} events." in capsys.readouterr().out
    assert main(["status"], {"SER_HOME": str(home)}) == 0
    assert f"{len(taught)} of {len(taught)} labels will train." in capsys.readouterr().out

    logged: list[str] = []
    settings = dataclasses.replace(settings, corpora=str(home / "corpora"))
    outcome = run_once(home, shipped, settings, progress=Callbacks(log=logged.append))
    assert any(f"{len(taught)} of {len(taught)} labels train" in line for line in logged)
    learned = Recognizer(Home(home).models / outcome.version)
    swapped = [one for one in taught if one.emotion in OTHER]
    # A harmonic tone is no speech to the detector, so that it is told where somebody speaks.
    predicted = [learned.predict(one.path, speech=SPOKEN).emotion for one in swapped]
    right = sum(found == OTHER[one.emotion] for found, one in zip(predicted, swapped, strict=True))
    assert right > 0.8 * len(swapped), Counter(predicted)
    # What was imported judges nobody: on the test speakers the corpus's labels stay, and so the
    # model that learned other ones is not promoted.
    assert outcome.decision is not None
    assert not outcome.decision.promote
