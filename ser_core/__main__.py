"""``python -m ser_core``: predict files and folders, export a model, list what there is."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core.errors import SerError

if TYPE_CHECKING:
    from ser_core.inference.prediction import Prediction
    from ser_core.inference.recognizer import Recognizer

SHIPPED = Path(__file__).resolve().parent.parent / "models" / "default"


def audio_files(paths: Iterable[str]) -> tuple[list[Path], Counter[str]]:
    """Return each file, and in folders each file with an audio ending, in order of names.

    Returns:
        The files, and how many others the folders hold, by ending.
    """
    from ser_core.audio import AUDIO_ENDINGS

    files: list[Path] = []
    passed: Counter[str] = Counter()
    for given in map(Path, paths):
        if not given.is_dir():
            files.append(given)
            continue
        for path in sorted(path for path in given.rglob("*") if path.is_file()):
            ending = path.suffix.lower()
            if ending in AUDIO_ENDINGS:
                files.append(path)
            else:
                passed[ending or "no ending"] += 1
    return files, passed


def _shard(text: str) -> tuple[int, int]:
    """Read ``i/n``: the i-th of n parts, counted from 1."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"“{text}” is not i/n with i from 1 to n, such as 2/8")
    return int(part), int(parts)


def _row(prediction: Prediction) -> dict[str, str]:
    row = {
        "file": prediction.file,
        "emotion": prediction.emotion or "",
        "confidence": f"{prediction.confidence:.4f}",
        "entropy": f"{prediction.entropy:.4f}",
        "unsure": prediction.abstained or "",
        "seconds": f"{prediction.seconds:.3f}",
        "model": prediction.model["version"],
    }
    return row | {f"p_{k}": f"{v:.4f}" for k, v in prediction.probabilities.items()}


def _line(prediction: Prediction) -> str:
    note = f"  (not sure: {prediction.abstained})" if prediction.abstained else ""
    emotion = prediction.emotion or "-"
    return f"{prediction.file}\t{emotion}\t{prediction.confidence:.2f}{note}"


def predict(arguments: argparse.Namespace) -> int:
    """Predict every file; a bad one is a line on stderr and the exit status 1."""
    from tqdm import tqdm

    from ser_core.checkpoints.champion import champion_folder
    from ser_core.home import Home
    from ser_core.inference.recognizer import Recognizer

    home = Home(os.environ.get("SER_HOME", "data"))
    folder = arguments.model or os.environ.get("SER_MODEL") or champion_folder(home, SHIPPED)
    recognizer = Recognizer(folder, os.environ.get("SER_DEVICE", "auto"), graphs=home.graphs)
    files, passed = audio_files(arguments.paths)
    if passed:
        kinds = ", ".join(f"{count} {ending}" for ending, count in passed.most_common(8))
        count = passed.total()
        what = "1 file that is" if count == 1 else f"{count} files that are"
        print(f"Passed over {what} not audio: {kinds}", file=sys.stderr)
    part, parts = arguments.shard
    files = files[(part - 1) * len(files) // parts : part * len(files) // parts]
    if not files:
        print(f"No audio file in {', '.join(arguments.paths)}.", file=sys.stderr)
        return 1
    rows: list[dict[str, str]] = []
    failed = 0
    answers = _answers(recognizer, files, arguments.neutral or ())
    bar = tqdm(answers, total=len(files), unit="clip", disable=_quiet(files))
    for file, found in zip(files, bar, strict=True):
        if isinstance(found, SerError):
            failed += 1
            print(f"{file}: {found}", file=sys.stderr)
            continue
        named = dataclasses.replace(found, file=str(file))
        rows.append(_row(named))
        if arguments.json:
            print(json.dumps(named.to_json(), ensure_ascii=False), flush=True)
        elif not arguments.csv:
            print(_line(named), flush=True)
    if arguments.csv:
        _write_csv(Path(arguments.csv), rows)
    return 1 if failed else 0


def _answers(
    recognizer: Recognizer, files: Sequence[Path], neutral: Sequence[str]
) -> Iterator[Prediction | SerError]:
    """Yield each file's prediction, relative to one voice or to each speaker's by a table."""
    from ser_core.inference.voice import NeutralTable

    if not neutral:
        yield from recognizer.predict_many(files)
    elif len(neutral) == 1 and neutral[0].lower().endswith(".csv"):
        table = NeutralTable(neutral[0])
        for clips, group in itertools.groupby(files, table.get):
            voice = None if clips is None else recognizer.voice(clips)
            yield from recognizer.predict_many(list(group), neutral=voice)
    else:
        voice = recognizer.voice(audio_files(neutral)[0])
        yield from recognizer.predict_many(files, neutral=voice)


def _quiet(items: Sequence[object]) -> bool:
    """Say whether a progress bar is of no use: nobody looks, or it is over at once."""
    return len(items) < 4 or not sys.stderr.isatty()


def examine_corpora(arguments: argparse.Namespace) -> int:
    """Say what each corpus of a folder holds and what is wrong in it."""
    from tqdm import tqdm

    from ser_core.corpora import examine, read_all, summary

    for reading in read_all(arguments.folder):
        with tqdm(unit="clip", disable=_quiet(reading.clips)) as bar:
            found = examine(
                reading, decode=arguments.decode, progress=lambda done, _: bar.update(done - bar.n)
            )
        emotions = Counter(clip.emotion for clip in found.clips)
        shares = ", ".join(f"{name} {count}" for name, count in sorted(emotions.items()))
        speakers = len({clip.person for clip in found.clips})
        print(f"{reading.corpus}: {len(found.clips)} clips, {speakers} speakers. {shares}")
        for line in summary(found.problems):
            print(f"  {line}")
    return 0


def _write_csv(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write the table; names that a spreadsheet would run as formulas are defused."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if rows:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows({k: _defused(v) for k, v in row.items()} for row in rows)
    except OSError as error:
        raise SerError(f"{path} can't be written: {error.strerror}.") from error


def _defused(cell: str) -> str:
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser("python -m ser_core", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("predict", help="predict the emotion of files or folders")
    one.add_argument("paths", nargs="+", metavar="PATH", help="audio files or folders")
    one.add_argument("--json", action="store_true", help="one JSON object a line")
    one.add_argument("--csv", metavar="FILE", help="write a table")
    one.add_argument(
        "--model", metavar="DIR", help="default, encoder, or a folder (default: the champion)"
    )
    one.add_argument(
        "--neutral",
        nargs="+",
        metavar="FILE",
        help="10 to 20 s of the speaker's ordinary speech, to predict relative to that voice: "
        "files or a folder, or a CSV table with the columns Filename and neutral",
    )
    one.add_argument(
        "--shard",
        metavar="I/N",
        type=_shard,
        default=(1, 1),
        help="only the I-th of N parts; the parts' results follow each other",
    )
    three = verbs.add_parser("corpora", help="what a folder of corpora holds, and what is wrong")
    three.add_argument("folder", metavar="FOLDER", help="each corpus in a folder of its own")
    three.add_argument(
        "--decode", action="store_true", help="decode each clip too: silent, broken, equal sound"
    )
    two = verbs.add_parser("list", help="list corpora, augmentations, front-ends, backbones")
    two.add_argument("--markdown", action="store_true", help="as the README's reference section")
    from ser_core.export import command as exporting

    exporting.add_arguments(verbs.add_parser("export", help="write a model as ONNX or as a page"))
    arguments = parser.parse_args(argv)
    try:
        if arguments.verb == "predict":
            return predict(arguments)
        if arguments.verb == "export":
            return exporting.run(arguments)
        if arguments.verb == "corpora":
            return examine_corpora(arguments)
        from ser_core.listing import markdown, text

        print(markdown() if arguments.markdown else text())
        return 0
    except SerError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # ``| head`` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
