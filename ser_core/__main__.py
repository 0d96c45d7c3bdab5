"""``python -m ser_core``: predict files and folders, list what there is."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ser_core.errors import SerError
from ser_core.listing import markdown, text
from ser_core.prediction import Prediction

SHIPPED = Path(__file__).resolve().parent.parent / "models" / "default"


def audio_files(paths: Iterable[str]) -> Iterator[Path]:
    """Yield each file, and in folders each file with an audio ending, in order of names."""
    from ser_core.audio import AUDIO_ENDINGS

    for given in map(Path, paths):
        if given.is_dir():
            yield from sorted(
                p for p in given.rglob("*") if p.is_file() and p.suffix.lower() in AUDIO_ENDINGS
            )
        else:
            yield given


def _row(prediction: Prediction) -> dict[str, str]:
    row = {
        "file": prediction.file,
        "emotion": prediction.emotion or "",
        "confidence": f"{prediction.confidence:.4f}",
        "entropy": f"{prediction.entropy:.4f}",
        "unsure": prediction.unsure or "",
        "seconds": f"{prediction.seconds:.3f}",
        "model": prediction.model["version"],
    }
    return row | {f"p_{k}": f"{v:.4f}" for k, v in prediction.probabilities.items()}


def _line(prediction: Prediction) -> str:
    doubt = f"  (unsure: {prediction.unsure})" if prediction.unsure else ""
    said = prediction.emotion or "-"
    return f"{prediction.file}\t{said}\t{prediction.confidence:.2f}{doubt}"


def predict(arguments: argparse.Namespace) -> int:
    """Predict every file; a bad one is a line on stderr and the exit status 1."""
    from tqdm import tqdm

    from ser_core.champion import champion_folder
    from ser_core.recognizer import Recognizer

    folder = arguments.model or os.environ.get("SER_MODEL")
    if not folder:
        folder = champion_folder(os.environ.get("SER_HOME", "data"), SHIPPED)
    recognizer = Recognizer(folder, os.environ.get("SER_DEVICE", "auto"))
    files = list(audio_files(arguments.paths))
    if not files:
        print(f"No audio file in {', '.join(arguments.paths)}.", file=sys.stderr)
        return 1
    rows: list[dict[str, str]] = []
    failed = 0
    bar = tqdm(files, unit="clip", disable=len(files) < 4 or not sys.stderr.isatty())
    for file in bar:
        try:
            found = recognizer.predict(file, name=str(file))
        except SerError as error:
            failed += 1
            print(f"{file}: {error}", file=sys.stderr)
            continue
        rows.append(_row(found))
        if arguments.json:
            print(json.dumps(found.to_json(), ensure_ascii=False), flush=True)
        elif not arguments.csv:
            print(_line(found), flush=True)
    if arguments.csv:
        _write_csv(Path(arguments.csv), rows)
    return 1 if failed else 0


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
    one.add_argument("--model", metavar="DIR", help="checkpoint folder (default: the champion)")
    two = verbs.add_parser("list", help="list corpora, augmentations, front-ends, backbones")
    two.add_argument("--markdown", action="store_true", help="as the README's reference section")
    arguments = parser.parse_args(argv)
    try:
        if arguments.verb == "predict":
            return predict(arguments)
        print(markdown() if arguments.markdown else text())
        return 0
    except SerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
