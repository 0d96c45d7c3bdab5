"""A home, and settings, as the version before the renaming wrote them: everything opens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from label_store.annotators import read_annotator_settings
from label_store.out_of_fold import read_predictions
from label_store.store import LabelStore
from ser_core.checkpoints.champion import champion_folder
from trainer.__main__ import main
from trainer.lifecycle import versions
from ui.predictions import ClipPrediction, PredictionCache
from ui.services import AppSettings, Services

CLIPS = ("59e5e09afaf9c86eedcb162d311e6bc43a4da2d1dbe00fcdf23c0e9cece8e6e0", "4a" * 32)

EVENTS = (
    "number,event_id,schema,time,writer,annotator,session,action,clip,file_name,former_name,corpus,"
    "start,end,emotion,reason,certainty,note,previous,target,prediction,probabilities,"
    "model_version,prediction_visible,milliseconds,extra\n"
    f"1,de30a6ce,1,2026-11-20T08:07:49.035Z,306ddebb,ada,s,label,{CLIPS[0]},1001_DFA_ANG_XX.wav,,"
    "cremad,,,joy,,,,,,,,,,,\n"
    f"2,3512b58b,1,2026-11-20T08:07:49.058Z,306ddebb,ada,s,label,{CLIPS[1]},1001_DFA_HAP_XX.wav,,"
    "cremad,,,anger,,,,,,,,,,,\n"
    f"3,b8cce083,1,2026-11-20T08:07:49.078Z,306ddebb,ada,s,skip,{CLIPS[1]},1001_DFA_HAP_XX.wav,,"
    "cremad,,,,noise,,,3512b58b,,,,,,,\n"
    f"4,af038e22,1,2026-11-20T08:07:49.081Z,306ddebb,ada,s,undo,{CLIPS[1]},1001_DFA_HAP_XX.wav,,"
    "cremad,,,,,,,3512b58b,b8cce083,,,,,,\n"
)

FOLDS = (
    '{"format": "speaker-fold-opinions-1", "created": "2026-11-20", "data_hash": "d", '
    '"label_revision": 2, "clips": 1, "settings": {}, "folds": [{"model": "fold-0", '
    '"uar": 0.5, "clips": 1, "speakers": 1}]}\n'
    f'{{"clip": "{CLIPS[0]}", "fold": 0, "probabilities": {{"joy": 0.75, "anger": 0.25}}}}\n'
)


@pytest.fixture
def old_home(tmp_path: Path, small_model: Path) -> Path:
    home = tmp_path / "home"
    for folder in ("labels", "models", "cache"):
        (home / folder).mkdir(parents=True)
    shutil.copytree(small_model, home / "models" / "one")
    texts = {
        "labels/events-2026-11-20-306ddebb.csv": EVENTS,
        "labels/people.json": '{"trusted": ["ada"], "gold_share": 0.1, "changed_by": "ada", '
        '"changed": "2026-11-20T08:00:00Z"}',
        "models/champion.json": '{"version": "small-1", "folder": "one", '
        '"promoted": "2026-11-20T08:00:00+00:00", "reason": "better", "previous": ""}',
        "models/history.jsonl": '{"time": "2026-11-20T08:00:00+00:00", "action": "promote", '
        '"version": "small-1", "reason": "better"}\n',
        "opinions.jsonl": FOLDS,
        "cache/opinions-small-1.jsonl": f'{{"clip": "{CLIPS[0]}", "probabilities": '
        '{"joy": 0.7, "anger": 0.3}, "information": 0.2}\n',
    }
    for name, text in texts.items():
        (home / name).write_text(text, encoding="utf-8")
    return home


def test_labels_annotators_and_cached_predictions_are_read(
    old_home: Path, small_model: Path
) -> None:
    store = LabelStore(old_home)
    assert not store.reports
    assert store.clip(CLIPS[0]).whole() == {"ada": "joy"}
    assert store.clip(CLIPS[1]).whole() == {"ada": "anger"}, "the skip was undone"
    assert read_annotator_settings(store.folder).trusted == {"ada"}
    services = Services(AppSettings(home=old_home, model=small_model))
    kept = PredictionCache(services).get(CLIPS[0])
    assert kept == ClipPrediction({"joy": 0.7, "anger": 0.3}, 0.2)


def test_out_of_fold_predictions_are_read(old_home: Path) -> None:
    found = read_predictions(old_home / "opinions.jsonl")
    assert found.label_revision == 2
    assert found.clips[CLIPS[0]].probabilities == {"joy": 0.75, "anger": 0.25}


def test_the_champion_serves_and_the_history_lists_it(
    old_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert champion_folder(old_home, tmp_path / "shipped") == old_home / "models" / "one"
    (one,) = versions.versions(old_home)
    assert (one.name, one.champion, one.problem) == ("one", True, "")
    assert main(["history", "--home", str(old_home)]) == 0
    assert "promote" in capsys.readouterr().out


def test_old_settings_run(old_home: Path, tiny_corpora: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        'preset = "seed"\nblend = false\nvotes = 0.25\nbackbone = "cnn"\n'
        "frontend_parameters = {n_mels = 32, hop_length = 512}\nseconds = 0.6\nepochs = 1\n"
        'batch_size = 8\nworkers = 0\nthreads = 1\nprecision = "fp32"\n',
        encoding="utf-8",
    )
    words = ["--home", str(old_home), "--corpora", str(tiny_corpora), "--config", str(config)]
    assert main(["fit", *words, "--version", "two"]) == 0
    made = json.loads((old_home / "models" / "two" / "metrics.json").read_text(encoding="utf-8"))
    used = made["settings"]
    assert (used["optimizer"], used["early_stop"], used["epochs"]) == ("sgd", 4, 1)
    assert (used["weight_interpolation"], used["soft_labels"]) == (False, 0.25)
    assert {one.name for one in versions.versions(old_home)} == {"one", "two"}
