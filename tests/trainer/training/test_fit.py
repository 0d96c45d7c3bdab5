"""A run is what its settings say: repeatable, resumable, honest about what it can't do."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.audio import Audio
from ser_core.checkpoints import checkpoint
from ser_core.corpora.clip import Clip
from ser_core.inference.prediction import Prediction
from ser_core.inference.recognizer import Recognizer
from trainer.data.batches import epoch_order, training_batches
from trainer.data.decoded import DecodedClips
from trainer.data.prepare import prepare
from trainer.errors import DataError, DivergedError, InterruptedRunError, SettingsError
from trainer.presets import SETTINGS_PRESETS, preset
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit
from trainer.training.state import STATE


def quiet(**kwargs: object) -> Callbacks:
    return Callbacks(log=lambda line: None, **kwargs)  # type: ignore[arg-type]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder).model.state_dict()


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


def test_two_runs_with_one_seed_give_the_same_weights_and_another_seed_others(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    runs = {}
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        settings = dataclasses.replace(tiny_settings, seed=seed)
        fit(
            settings,
            tmp_path / name,
            tmp_path / f"run-{name}",
            tmp_path / "cache",
            progress=quiet(),
        )
        runs[name] = weights(tmp_path / name)
    assert same(runs["a"], runs["b"])
    assert not same(runs["a"], runs["c"])


def test_a_signal_to_the_whole_group_is_saved_first(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    # More batches than a worker prepares ahead: it is still at work when the signal comes.
    settings = dataclasses.replace(tiny_settings, workers=1, epoch_clips=160)
    sent: list[int] = []

    def stop(done: int, total: int, loss: float) -> None:
        if done == 3:
            sent.extend(child.pid for child in multiprocessing.active_children() if child.pid)
            # By somebody else: one from its parent a worker takes for the end of the epoch.
            pids = [str(pid) for pid in (*sent, os.getpid())]
            subprocess.run(["kill", "-TERM", *pids], check=True)
            time.sleep(0.5)  # what dies of it is dead by now

    with pytest.raises(InterruptedRunError, match="goes on from there"):
        fit(settings, tmp_path / "a", tmp_path / "run", tmp_path / "c", progress=quiet(step=stop))
    assert sent, "no worker was there to be hit"
    for child in multiprocessing.active_children():
        child.terminate()  # as the interpreter does at its end, and then waits
        child.join(30)
        assert not child.is_alive()
    assert (tmp_path / "run" / STATE).exists()


def test_a_run_stopped_in_the_middle_of_an_epoch_ends_as_the_undisturbed_one(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    fit(tiny_settings, tmp_path / "whole", tmp_path / "run-1", cache, progress=quiet())

    def stop(done: int, total: int, loss: float) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="goes on from there"):
        fit(tiny_settings, tmp_path / "parts", tmp_path / "run-2", cache, progress=quiet(step=stop))
    assert not (tmp_path / "parts").exists()
    fit(tiny_settings, tmp_path / "parts", tmp_path / "run-2", cache, progress=quiet())
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert not (tmp_path / "run-2" / STATE).exists()


_KILLED = """
import json, sys
from pathlib import Path
from trainer.training.fit import fit
from trainer.training.callbacks import Callbacks
from trainer.settings import Settings
settings = Settings().with_values(json.loads(sys.argv[1]))
home = Path(sys.argv[2])
def step(done, total, loss):
    print(done, flush=True)
told = Callbacks(lambda line: None, step)
fit(settings, home / "killed", home / "run", home / "cache", progress=told)
"""


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_weights(
    tiny_settings: Settings, tmp_path: Path, repository: Path
) -> None:
    import json

    settings = dataclasses.replace(tiny_settings, epochs=3, save_seconds=1.0)
    fit(settings, tmp_path / "whole", tmp_path / "run-0", tmp_path / "cache", progress=quiet())
    command = [sys.executable, "-c", _KILLED, json.dumps(settings.to_json()), str(tmp_path)]
    process = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 7:
            process.kill()
            break
    process.wait()
    assert not (tmp_path / "killed").exists()
    assert (tmp_path / "run" / STATE).exists()
    subprocess.run(command, cwd=repository, check=True, stdout=subprocess.DEVNULL)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_training_learns_what_is_there_to_learn(tiny_settings: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(tiny_settings, epochs=8, augment=())
    found = fit(settings, tmp_path / "m", tmp_path / "run", tmp_path / "cache", progress=quiet())
    assert found.figures["test"]["cremad"]["uar"] > 0.8


def test_a_checkpoint_of_a_run_predicts(tiny_settings: Settings, tmp_path: Path) -> None:
    found = fit(
        tiny_settings, tmp_path / "m", tmp_path / "run", tmp_path / "cache", progress=quiet()
    )
    recognizer = Recognizer(found.folder, "cpu")
    clips = [
        Audio(np.zeros((1, 8000), np.float32), 16_000, 16_000),
        Audio(np.ones((1, 30_000), np.float32), 16_000, 16_000),
    ]
    for one in recognizer.predict_many(clips):
        assert isinstance(one, Prediction)
        assert sum(one.probabilities.values()) == pytest.approx(1)


def test_the_workers_of_the_loader_change_nothing(tiny_settings: Settings, tmp_path: Path) -> None:
    prepared = prepare(tiny_settings, tmp_path / "cache")
    from trainer.training.new_model import specify

    specification = specify(tiny_settings, prepared, "v")
    drawn = []
    for workers in (0, 2):
        settings = dataclasses.replace(tiny_settings, workers=workers)
        batches = training_batches(
            prepared.sides["train"], prepared.decoded, specification, settings, epoch=1
        )
        drawn.append([batch.waveform for batch in batches])
    assert all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))
    other = training_batches(
        prepared.sides["train"], prepared.decoded, specification, tiny_settings, epoch=2
    )
    assert not torch.equal(drawn[0][0], next(iter(other)).waveform)


def test_sampling_draws_rare_emotions_as_often_as_common_ones(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    prepared = prepare(tiny_settings, tmp_path / "cache")
    items = prepared.sides["train"]
    rare = [item for item in items if item.label != 0] + [i for i in items if i.label == 0][:2]
    settings = dataclasses.replace(tiny_settings, epoch_clips=300)
    order = epoch_order(rare, prepared.emotions, settings, 0)
    counts = np.bincount([rare[i].label for i in order], minlength=3)
    assert counts.max() - counts.min() <= 6


def test_no_person_and_no_content_is_on_two_sides(tiny_settings: Settings, tmp_path: Path) -> None:
    sides = prepare(tiny_settings, tmp_path / "cache").sides
    for one, two in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not {i.clip.person for i in sides[one]} & {i.clip.person for i in sides[two]}
        assert not {i.digest for i in sides[one]} & {i.digest for i in sides[two]}


def test_a_missing_folder_is_one_sentence(tiny_settings: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(tiny_settings, corpora=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="there is no folder of corpora at"):
        fit(settings, tmp_path / "m", tmp_path / "run", tmp_path / "cache", progress=quiet())
    assert not (tmp_path / "m").exists()


def test_an_emotion_without_a_training_clip_is_refused_by_name(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = dataclasses.replace(tiny_settings, emotions=("anger", "sadness", "boredom"))
    with pytest.raises(DataError, match="no training clip for boredom"):
        fit(settings, tmp_path / "m", tmp_path / "run", tmp_path / "cache", progress=quiet())


def test_a_loss_that_is_no_number_stops_the_run_and_writes_nothing(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    settings = dataclasses.replace(
        tiny_settings, learning_rate=10.0, gradient_clip=0.0, epochs=30, warm_up=0.0, momentum=0.999
    )
    with pytest.raises(DivergedError, match="lower the learning rate"):
        fit(settings, tmp_path / "m", tmp_path / "run", tmp_path / "cache", progress=quiet())
    assert not (tmp_path / "m").exists()


def test_a_broken_and_a_silent_file_are_left_out_by_name(tmp_path: Path) -> None:
    import soundfile

    broken, silent = tmp_path / "a.wav", tmp_path / "b.wav"
    broken.write_text("not audio")
    soundfile.write(silent, np.zeros(8000, np.float32), 16_000)
    clips = [Clip(path, "x", path.stem, "joy") for path in (broken, silent, tmp_path / "gone.wav")]
    digests, problems = DecodedClips(tmp_path / "cache").prepare(clips)
    assert digests == {}
    assert [(p.name, p.kind) for p in problems] == [
        ("a", "broken-audio"),
        ("b", "silent"),
        ("gone", "missing-file"),
    ]


@pytest.mark.parametrize("name", sorted(set(SETTINGS_PRESETS)))
def test_every_preset_builds(name: str) -> None:
    assert preset(name).to_json()["epochs"] > 0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"epoch": 3}, "Did you mean “epochs”"),
        ({"backbone": "resnet5"}, "Did you mean “resnet50”"),
        ({"learning_rate": -1.0}, "must be a number from"),
        ({"epochs": "three"}, "must be a whole number"),
        ({"scheme": "leave-one-corpus-out"}, "needs held_out"),
        ({"start": "a", "first_weights": "b"}, "contradict"),
        ({"crop_seconds": [2.0, 1.0]}, "a pair, shortest and longest"),
        ({"augment": [{"name": "speeed"}]}, "speed"),
    ],
)
def test_a_setting_that_can_not_be_is_refused_in_one_sentence(
    values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings().with_values(values)


def test_time_is_not_in_the_weights(tiny_settings: Settings, tmp_path: Path) -> None:
    """Saving now and then does not change the result."""
    often = dataclasses.replace(tiny_settings, save_seconds=1.0)
    fit(tiny_settings, tmp_path / "a", tmp_path / "ra", tmp_path / "cache", progress=quiet())
    fit(
        often,
        tmp_path / "b",
        tmp_path / "rb",
        tmp_path / "cache",
        progress=quiet(step=lambda done, total, loss: time.sleep(0.2)),
    )
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_a_checkpoint_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    from ser_core.checkpoints.specification import Specification
    from trainer.training.fit import _published

    folder = tmp_path / "encoders" / "tiny"
    folder.mkdir(parents=True)
    settings = dataclasses.replace(
        Settings(),
        corpora=str(tmp_path),
        noises=str(tmp_path / "noises"),
        frontend_parameters={"source": str(folder)},
    )
    kept = _published(settings, Specification())
    assert str(tmp_path) not in json.dumps(kept)
    assert kept["frontend_parameters"] == {"source": "tiny"}
