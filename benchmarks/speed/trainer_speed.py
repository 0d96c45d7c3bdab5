"""Images a second of the training loop, of the bare model, and of a plain loop.

    python -m benchmarks.speed.trainer_speed [--backbone resnet50] [--batch 32] [--steps 8]
        [--rounds 3]

- trainer: the loop as `python -m trainer fit` runs it: augmentation, front-end, masks, the step,
  clips from the decoded cache.
- ready: the same loop on one batch of sound that is in memory already: what is missing to this is
  what loading, decoding and augmenting cost.
- bare: the same backbone, precision and optimizer on random feature maps that are in memory, of
  the shape that the trainer's have (every batch shows two seconds of its clips).
- plain: what one writes in an afternoon: float32, soundfile and librosa in the loop, torchvision.

They take turns, so that a busy machine slows all three alike; the ratios count. Asked for:
trainer / ready and trainer / bare 0.95 or more, trainer / plain 3 or more.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
import torchvision
from ignite.engine import Engine

from benchmarks.made_up import write_corpora
from ser_core.device import autocast_dtype
from ser_core.frontends import FeatureMap
from trainer.data.batches import training_batches
from trainer.data.prepare import Prepared, prepare
from trainer.presets import preset
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.learner import make_optimizer
from trainer.training.loop import Loop
from trainer.training.new_model import new_model, specify

SHOWN = 2.0
"""Seconds of its clips that a batch shows: the mean of what the default preset draws."""


def bare_loop(loop: Loop, settings: Settings) -> Callable[[], None]:
    """Return a step of a fresh copy of the loop's backbone on random maps of the same shape."""
    import copy

    model = copy.deepcopy(loop.model)
    model.train()
    optimizer = make_optimizer(model, settings)
    dtype = autocast_dtype(settings.precision, torch.device("cpu"))
    shown = round(SHOWN * loop.specification.sample_rate)
    waveform = torch.zeros(1, 1, shown)
    shape = model.features(waveform, torch.tensor([waveform.shape[-1]])).values.shape[1:]
    values = torch.randn(settings.batch_size, *shape).contiguous(memory_format=torch.channels_last)
    lengths = torch.full((settings.batch_size,), shape[-1])
    targets = torch.randint(len(loop.specification.emotions), (settings.batch_size,))

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            logits = model.backbone(FeatureMap(values, lengths))
        torch.nn.functional.cross_entropy(logits.float(), targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def ready_loop(loop: Loop) -> Callable[[], None]:
    """Return a step of a twin of the loop, with everything but the loader."""
    import copy

    twin = Loop(
        copy.deepcopy(loop.model),
        loop.specification,
        loop.settings,
        loop.train,
        loop.validation,
        loop.decoded,
        loop.folder.with_name("twin"),
    )
    batch = next(
        training_batches(loop.train, loop.decoded, loop.specification, loop.settings, epoch=0)
    )

    def step() -> None:
        twin.batch = 0
        twin.step(Engine(lambda engine, batch: None), batch)

    return step


def plain_loop(prepared: Prepared, settings: Settings) -> Callable[[], None]:
    """Return a step of the loop that a user would write."""
    model = getattr(torchvision.models, settings.backbone)(
        weights=None, num_classes=len(prepared.emotions)
    )
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)
    items = prepared.sides["train"]
    rng = np.random.default_rng(0)
    kept = settings.frontend_arguments()

    def picture(path: Path) -> np.ndarray:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = librosa.resample(samples.mean(axis=1), orig_sr=rate, target_sr=16_000)
        mono = librosa.util.fix_length(mono, size=round(SHOWN * 16_000))
        mono = mono + 0.005 * rng.standard_normal(len(mono)).astype(np.float32)
        mel = librosa.feature.melspectrogram(
            y=mono,
            sr=16_000,
            n_fft=kept["n_fft"],
            hop_length=kept["hop_length"],
            n_mels=kept["n_mels"],
        )
        level = librosa.power_to_db(mel)
        return np.repeat(((level - level.mean()) / (level.std() + 1e-6))[None], 3, axis=0)

    def step() -> None:
        chosen = [items[i] for i in rng.integers(len(items), size=settings.batch_size)]
        batch = torch.from_numpy(np.stack([picture(item.clip.path) for item in chosen]))
        targets = torch.tensor([item.label for item in chosen])
        loss = torch.nn.functional.cross_entropy(model(batch.float()), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def measure(settings: Settings, steps: int, rounds: int, work: Path) -> dict[str, float]:
    """Return images a second of each, the median over rounds."""
    prepared = prepare(settings, work / "cache")
    model, specification = new_model(settings, specify(settings, prepared, "speed"), prepared)
    rates: dict[str, list[float]] = {"trainer": [], "ready": [], "bare": [], "plain": []}
    ends: list[float] = []

    def rate(step: Callable[[], None], count: int) -> float:
        step()
        begun = time.perf_counter()
        for _ in range(count):
            step()
        return count * settings.batch_size / (time.perf_counter() - begun)

    def after(figures: dict[str, float]) -> None:
        # The first step of an epoch waits for the loader's workers to come up.
        rates["trainer"].append((len(ends) - 1) * settings.batch_size / (ends[-1] - ends[0]))
        rates["ready"].append(rate(ready, steps - 1))
        rates["bare"].append(rate(bare, steps - 1))
        rates["plain"].append(rate(plain, max(1, (steps - 1) // 3)))
        ends.clear()

    progress = Callbacks(
        log=lambda line: None,
        step=lambda done, total, loss: ends.append(time.perf_counter()),
        epoch=after,
    )
    loop = Loop(
        model,
        specification,
        settings,
        prepared.sides["train"],
        prepared.sides["validation"][:4],
        prepared.decoded,
        work / "run",
        progress,
    )
    ready, bare = ready_loop(loop), bare_loop(loop, settings)
    plain = plain_loop(prepared, settings)
    loop.run()
    return {name: statistics.median(found) for name, found in rates.items()}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="resnet50", help="one that torchvision has too")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        corpora = write_corpora(work / "corpora", 4 * args.batch)
        settings = preset("default").with_values(
            {
                "corpora": str(corpora),
                "backbone": args.backbone,
                "batch_size": args.batch,
                "epoch_clips": args.batch * args.steps,
                "epochs": args.rounds,
                "crop_seconds": [SHOWN, SHOWN],
            }
        )
        found = measure(settings, args.steps, args.rounds, work)
    for name, value in found.items():
        print(f"{name:8} {value:8.1f} images/s")
    print(f"trainer / ready {found['trainer'] / found['ready']:.2f} (asked for: 0.95 or more)")
    print(f"trainer / bare  {found['trainer'] / found['bare']:.2f} (asked for: 0.95 or more)")
    print(f"trainer / plain {found['trainer'] / found['plain']:.2f} (asked for: 3 or more)")


if __name__ == "__main__":
    main()
