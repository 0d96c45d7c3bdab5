"""What a fine-tune on a user's own 200 labels gives, and what it forgets.

    python -m benchmarks.studies.own_labels --corpora FOLDER [--stranger savee]
        [--labels 200] [--json FILE]

FOLDER holds the corpora of the shipped model and one that was not trained on. All of that one's
speakers but the last give clips with their right emotions, as uploads under names that say
nothing, in sessions of 25; `python -m trainer` fine-tunes on them with its default settings and
with replay. Champion and challenger then hear, middle window only, no temperature,

- the validation speakers of the corpora that the model knows, by corpus: what it forgot;
- the last speaker of the corpus it did not know: what the labels brought.

The rule's own decision, on the test speakers, is printed by the command itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from label_store import LabelEvent, LabelStore
from ser_core.checkpoints import checkpoint
from ser_core.corpora import read
from ser_core.corpora.clip import Clip
from ser_core.home import Home
from ser_core.inference.recognizer import Recognizer
from trainer.data.batches import Example, examples
from trainer.data.decoded import DecodedClips
from trainer.data.prepare import prepare
from trainer.evaluation.inference import predict_examples
from trainer.evaluation.metrics import mean_over_corpora, uar_by_corpus
from trainer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SITTING = 25


def label(home: Path, clips: Sequence[Clip], count: int) -> int:
    """Put ``count`` clips with their right emotions into the label store; return how many."""
    store = LabelStore(home)
    order = np.random.default_rng(0).permutation(len(clips))[:count].tolist()
    for number, place in enumerate(sorted(order)):
        clip = clips[place]
        store.append(
            LabelEvent(
                action="label",
                annotator="owner",
                clip=store.keep_clip(clip.path.read_bytes(), clip.path.suffix),
                file_name=f"recording {number}{clip.path.suffix}",
                emotion=clip.emotion,
                session=f"session {number // SITTING}",
            )
        )
    return len(order)


def judge(
    folder: Path, groups: dict[str, list[Example]], decoded: DecodedClips
) -> dict[str, float]:
    """Return a checkpoint's UAR on each group of clips."""
    model = Recognizer(folder)
    pipeline = model.pipeline(model.runtime_in("auto"))
    found = {
        name: predict_examples(pipeline, model.calibration, items, decoded)
        for name, items in groups.items()
    }
    return {name: mean_over_corpora(uar_by_corpus(one.outcomes)) for name, one in found.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--stranger", default="savee")
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--json", type=Path)
    args, more = parser.parse_known_args()
    specification = checkpoint.load(args.model).specification
    known = ("cremad", "emodb", "nemo", "ravdess", "ravdess_song")
    with tempfile.TemporaryDirectory() as folder:
        home, corpora = Path(folder) / "home", Path(folder) / "corpora"
        corpora.mkdir()
        for name in known:
            (corpora / name).symlink_to((args.corpora / name).resolve())
        strangers = read(args.corpora / args.stranger, args.stranger).clips
        last = sorted({clip.speaker for clip in strangers})[-1]
        usable = [c for c in strangers if c.emotion in specification.emotions]
        count = label(home, [c for c in usable if c.speaker != last], args.labels)
        begun = time.perf_counter()
        command = [sys.executable, "-m", "trainer", "--home", str(home), "--corpora", str(corpora)]
        ended = subprocess.run([*command, "--default", str(args.model), *more], cwd=ROOT).returncode
        minutes = (time.perf_counter() - begun) / 60
        made = sorted(
            p for p in Home(home).models.iterdir() if (p / "weights.safetensors").exists()
        )
        if ended or not made:
            print(f"no model came out (status {ended})")
            return ended or 1
        settings = Settings(
            corpora=str(corpora), names=known, trim_silence=specification.trim_silence
        )
        prepared = prepare(settings, home / "cache", emotions=specification.emotions)
        held_out = [clip for clip in usable if clip.speaker == last]
        digests, _ = prepared.decoded.prepare(held_out)
        validation = prepared.sides["validation"]
        groups = {name: [item for item in validation if item.clip.corpus == name] for name in known}
        groups[f"{args.stranger}, speaker {last}"] = examples(
            held_out, digests, specification.emotions
        )
        before = judge(args.model, groups, prepared.decoded)
        after = judge(made[-1], groups, prepared.decoded)
    print(f"{count} labels, {minutes:.1f} min")
    for name, items in groups.items():
        change = after[name] - before[name]
        print(
            f"{name:24} {len(items):5} clips  {before[name]:.3f} -> {after[name]:.3f} {change:+.3f}"
        )
    if args.json:
        args.json.write_text(json.dumps({"before": before, "after": after, "minutes": minutes}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
