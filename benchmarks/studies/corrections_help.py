"""What corrections are worth: real speech, labels corrupted on purpose, the real processes.

    python -m benchmarks.studies.corrections_help --corpora FOLDER [--seeds 5] [--json FILE]
        [--quick]

FOLDER holds CREMA-D as ``cremad``. Each seed draws clips of its training, validation and test
speakers (the committed split) and gives 100 of the 200 training clips the file name of another
emotion. So few and so wrong on purpose: with thousands of clips no 100 labels would show. Then

- champion: `python -m trainer fit` on these clips.
- helpful: a trusted annotator gives the 100 clips their true emotion; `python -m trainer`.
- hostile: one who is not trusted gives 100 training clips a wrong emotion; `python -m trainer`.
- worse: `python -m trainer fit` on shuffled labels; `python -m trainer promote` of what came out.

The models are small ones (descriptor statistics and an MLP): what is judged is the path from a
label to a champion, not how high a figure can get. Asked for: helpful corrections raise UAR on the
test speakers, hostile ones change nothing, and what is worse is not promoted. All seeds are shown.
Without --corpora it says what it needs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from label_store import LabelEvent, LabelStore
from ser_core.checkpoints.champion import champion_folder
from ser_core.corpora import read
from ser_core.corpora.clip import Clip
from ser_core.corpora.splits import side_of
from ser_core.home import Home
from trainer.lifecycle import versions

ROOT = Path(__file__).resolve().parents[2]
TRUSTED, STRANGER = "trusted", "stranger"
FLAGS = ["--preset", "statistics", "--device", "cpu", "--workers", "0", "--threads", "1"]


@dataclass(frozen=True)
class Sizes:
    """How many clips of each side are drawn, and how many labels are corrupted and corrected."""

    train: int = 200
    validation: int = 100
    test: int = 600
    corrections: int = 100


QUICK = Sizes(validation=40, test=150)


def draw(clips: Sequence[Clip], sizes: Sizes, rng: np.random.Generator) -> dict[str, list[Clip]]:
    """Return clips by side; of the training speakers one for each sentence they say.

    So no two training clips get the same name, whatever emotion is written into it.
    """
    sides: dict[str, list[Clip]] = {"train": [], "validation": [], "test": []}
    taken: set[tuple[str, str]] = set()
    for index in rng.permutation(len(clips)).tolist():
        clip = clips[index]
        side = side_of(clip)
        speaker, sentence = clip.path.stem.split("_")[:2]
        if len(sides[side]) >= getattr(sizes, side) or (speaker, sentence) in taken:
            continue
        if side == "train":
            taken.add((speaker, sentence))
        sides[side].append(clip)
    return sides


def code(clip: Clip) -> str:
    """Return the emotion as CREMA-D writes it in a file name."""
    return clip.path.stem.split("_")[2]


def others(codes: Mapping[str, str], own: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return for each code another one."""
    return [str(rng.choice([name for name in sorted(codes) if name != one])) for one in own]


def write(root: Path, sides: Mapping[str, Sequence[Clip]], train: Sequence[str]) -> Path:
    """Copy the clips, with these emotions in the names of the training clips; return the root."""
    folder = root / "cremad"
    folder.mkdir(parents=True)
    for side, clips in sides.items():
        names = train if side == "train" else [code(clip) for clip in clips]
        for clip, name in zip(clips, names, strict=True):
            parts = clip.path.stem.split("_")
            parts[2] = name
            shutil.copyfile(clip.path, folder / ("_".join(parts) + clip.path.suffix))
    return root


def label(home: Path, clips: Sequence[Clip], emotions: Sequence[str], annotator: str) -> None:
    """Let somebody label clips, as the page does."""
    store = LabelStore(home)
    for clip, emotion in zip(clips, emotions, strict=True):
        kept = store.keep_clip(clip.path.read_bytes(), clip.path.suffix)
        store.append(
            LabelEvent(
                action="label",
                annotator=annotator,
                clip=kept,
                file_name=clip.path.name,
                emotion=emotion,
            )
        )


def trainer(*words: str, expected: Sequence[int] = (0,)) -> str:
    """Run `python -m trainer` and return what it printed.

    Raises:
        SystemExit: it ended otherwise than expected; its own words are shown.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SER_")}
    ran = subprocess.run(
        [sys.executable, "-m", "trainer", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=plain,
        check=False,
    )
    if ran.returncode not in expected:
        raise SystemExit(f"python -m trainer {' '.join(words)}: {ran.stderr[-2000:]}")
    return ran.stdout.strip()


def fingerprint(home: Path, default: Path) -> str:
    """Return a hash over the serving checkpoint's bytes and the pointer to it."""
    held = hashlib.sha256()
    pointer = Home(home).champion
    for path in [pointer, *sorted(champion_folder(home, default).iterdir())]:
        held.update(path.name.encode() + (path.read_bytes() if path.is_file() else b"none"))
    return held.hexdigest()


def study(corpora: Path, seed: int, sizes: Sizes, work: Path) -> dict[str, Any]:
    """Return what one seed came to.

    Args:
        corpora: folder that holds ``cremad``.
        seed: of the draw, the corruption and the trainings.
        sizes: how many clips.
        work: an empty folder, filled.
    """
    rng = np.random.default_rng(seed)
    clips = read(corpora / "cremad", "cremad").clips
    codes = {code(clip): clip.emotion for clip in clips}
    sides = draw(clips, sizes, rng)
    train = sides["train"]
    truth = [code(clip) for clip in train]
    wrong = rng.permutation(len(train))[: sizes.corrections].tolist()
    given = list(truth)
    for index, name in zip(wrong, others(codes, [truth[i] for i in wrong], rng), strict=True):
        given[index] = name
    root = write(work / "corpora", sides, given)
    home, default = work / "home", work / "champion"
    place = ["--home", str(home), "--default", str(default)]
    common = [*FLAGS, "--seed", str(seed), *place, "--corpora"]
    trainer("fit", *common, str(root), "--out", str(default))

    label(home, [train[i] for i in wrong], [train[i].emotion for i in wrong], TRUSTED)
    run = ["run", *common, str(root), "--trusted", TRUSTED]
    message = trainer(*run)
    (row,) = [row for row in versions.history(home) if row["action"] == "run"]

    before = fingerprint(home, default)
    chosen = rng.permutation(len(train))[: sizes.corrections].tolist()
    lies = [codes[name] for name in others(codes, [truth[i] for i in chosen], rng)]
    label(home, [train[i] for i in chosen], lies, STRANGER)
    hostile = trainer(*run)
    after = fingerprint(home, default)

    shuffled = write(work / "shuffled", sides, [truth[i] for i in rng.permutation(len(truth))])
    trainer("fit", *common, str(shuffled), "--version", "worse")
    worse = trainer("promote", "worse", *common, str(root), expected=(0, 3))
    return {
        "seed": seed,
        "clips": {side: len(held) for side, held in sides.items()},
        "corrupted": len(wrong),
        "helpful": {**row["figures"], "promoted": row["promoted"], "said": message},
        "hostile": {
            "labels": len(chosen),
            "said": hostile,
            "unchanged": before == after,
            "trained": len([r for r in versions.history(home) if r["action"] == "run"]) > 1,
        },
        "worse": {
            "said": worse,
            "promoted": not worse.startswith("worse not promoted"),
            "unchanged": fingerprint(home, default) == after,
            "uar": json.loads((Home(home).models / "worse" / "metrics.json").read_text("utf-8"))[
                "uar"
            ],
        },
    }


def show(found: Sequence[Mapping[str, Any]]) -> str:
    """Return a table, one line for each seed and one for all."""
    lines = [
        "seed  champion  corrected  difference (95 %)          promoted  hostile    worse",
    ]
    for one in found:
        helpful, hostile, worse = one["helpful"], one["hostile"], one["worse"]
        lines.append(
            f"{one['seed']:>4}  {helpful['champion_uar']:>8.3f}  {helpful['challenger_uar']:>9.3f}"
            f"  {helpful['difference']:+.3f} ({helpful['difference_low']:+.3f} to "
            f"{helpful['difference_high']:+.3f})"
            f"  {'yes' if helpful['promoted'] else 'no':>8}"
            f"  {'no change' if hostile['unchanged'] and not hostile['trained'] else 'CHANGED'}"
            f"  {worse['uar']:.3f} {'PROMOTED' if worse['promoted'] else 'not promoted'}"
        )
    gains = np.array([one["helpful"]["difference"] for one in found])
    lines.append(
        f"UAR rises by {gains.mean():.3f} on average over {len(gains)} seeds, in "
        f"{int((gains > 0).sum())} of them; "
        f"{sum(one['helpful']['promoted'] for one in found)} promoted"
    )
    for one in found:
        if not one["helpful"]["promoted"]:
            lines.append(f"seed {one['seed']}: {one['helpful']['said']}")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and say by the exit status whether all came out as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, help="folder of corpora, cremad among them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file that gets every figure")
    parser.add_argument("--quick", action="store_true", help="one seed, fewer clips")
    args = parser.parse_args()
    if args.corpora is None:
        print("real speech is needed: give --corpora, a folder that holds cremad")
        return 0
    sizes = QUICK if args.quick else Sizes()
    found = []
    for seed in range(1 if args.quick else args.seeds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(study(args.corpora, seed, sizes, Path(folder)))
        print(show(found[-1:]).splitlines()[1], flush=True)
    print(show(found))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    held = all(
        one["hostile"]["unchanged"]
        and not one["hostile"]["trained"]
        and one["worse"]["unchanged"]
        and not one["worse"]["promoted"]
        for one in found
    )
    helped = np.mean([one["helpful"]["difference"] for one in found]) > 0
    return 0 if held and helped else 1


if __name__ == "__main__":
    sys.exit(main())
