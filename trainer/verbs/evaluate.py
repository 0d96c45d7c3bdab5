"""``evaluate``: every figure of a checkpoint, in one command."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ser_core import checkpoint
from ser_core.calibration import Calibration
from ser_core.corpora import read_all
from ser_core.corpora.clip import Clip
from ser_core.recognizer import Recognizer
from ser_core.specification import Specification
from ser_core.splits import Splits, split
from trainer import report, report_page, studies, tables
from trainer.calibrating import recalibrate
from trainer.card import model_card
from trainer.complete import conditions, non_speech
from trainer.conditions import stratified
from trainer.decoded import DecodedClips
from trainer.errors import DataError
from trainer.evaluation import CorpusScores, Report, evaluate, headline
from trainer.fit import fit
from trainer.learner import autocast_dtype
from trainer.parts import Listening
from trainer.prepare import prepare, read_corpora
from trainer.run import cache_folder
from trainer.settings import Settings
from trainer.verbs.place import Place, folder_of, progress_of


def evaluate_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Print the figures of a checkpoint on the test speakers; write them where asked."""
    folder = folder_of(place, args.model)
    settings = as_trained(settings, folder)
    fitted = _calibration(place, folder, settings, args) if args.calibrate else None
    found = report_of(place, folder, settings, args, calibrated=fitted)
    print(report.terminal(found))
    writers: Mapping[str, Callable[[Report], str]] = {
        "json": report.to_json,
        "csv": report.to_csv,
        "html": report_page.to_html,
    }
    for ending, write in writers.items():
        wish = getattr(args, ending)
        if wish:
            report.write_text(Path(wish), write(found))
            print(f"wrote {wish}")
    if args.write:
        if fitted is not None:
            report.write_text(folder / checkpoint.CALIBRATION, fitted.to_json())
            print(f"wrote {folder / checkpoint.CALIBRATION}")
        write_figures(folder, found)
        print(f"wrote {folder / checkpoint.METRICS} and {folder / checkpoint.CARD}")
    return 0


def as_trained(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the corpora and the split that the checkpoint was trained with.

    A corpus list that is given goes over the checkpoint's; so does any split but "fixed", which
    is what stands there when nobody said anything. Where none of the checkpoint's corpora is at
    hand, all that are there are taken.
    """
    values = checkpoint.load(folder).metrics.get("settings")
    if not isinstance(values, dict):
        return settings
    wanted: dict[str, Any] = {}
    if not settings.names:
        root = Path(settings.corpora)
        wanted["names"] = [name for name in values.get("names") or () if (root / name).is_dir()]
    if settings.scheme == "fixed" and values.get("scheme", "fixed") != "fixed":
        keys = ("scheme", "fold", "folds", "held_out", "seed")
        wanted |= {key: values[key] for key in keys if key in values}
    return settings.with_values(wanted, f"the settings in {folder / checkpoint.METRICS}")


def report_of(
    place: Place,
    folder: Path,
    settings: Settings,
    args: argparse.Namespace,
    test: Sequence[Clip] | None = None,
    calibrated: Calibration | None = None,
) -> Report:
    """Return the report of a checkpoint: the test speakers, and whatever else was asked for.

    Args:
        place: where things are.
        folder: the checkpoint.
        settings: corpora, split, seed, device, precision, threads.
        args: the words of the command line; what isn't among them was not asked for.
        test: the test clips where the caller has them; None reads and splits the corpora.
        calibrated: goes over the checkpoint's calibration.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    model = Recognizer(folder, settings.device)
    model.calibration = calibrated or model.calibration
    everything: list[Clip] = []
    notes: tuple[str, ...] = ()
    if test is None:
        everything, parts = _parted(settings)
        test, notes = parts.test, (*parts.notes, *_aside(model, settings))
    clips = stratified(test, 2 * settings.max_clips, settings.seed)
    listening = listening_of(place, model, settings, args)
    heard = listening.clips(clips)
    limit = model.calibration.entropy_limit
    complete = getattr(args, "complete", False)
    wish = getattr(args, "never_heard", None)
    unheard = [] if wish is None and not complete else _unheard(settings, wish, test)
    remarks = getattr(args, "remarks", None)
    return Report(
        model.name,
        model.version,
        datetime.now(UTC).isoformat(timespec="seconds"),
        evaluate(heard, seed=settings.seed, entropy_limit=limit),
        **_studies(place, listening, settings, args, clips, everything),
        never_heard=(
            evaluate(listening.clips(unheard), seed=settings.seed, entropy_limit=limit)
            if unheard
            else None
        ),
        conditions=(
            conditions(
                listening, stratified(clips, getattr(args, "condition_clips", 0), settings.seed)
            )
            if complete or getattr(args, "conditions", False)
            else ()
        ),
        non_speech=(
            non_speech(listening, args.sounds, settings.seed)
            if complete or getattr(args, "non_speech", False)
            else ()
        ),
        tables=tuple(tables.read(path) for path in getattr(args, "tables", None) or ()),
        remarks=_text(remarks) if remarks else "",
        notes=(*notes, _arithmetic(model, settings)),
        provenance=_provenance(model.specification),
    )


def _parted(settings: Settings) -> tuple[list[Clip], Splits]:
    clips, _ = read_corpora(settings)
    parts = split(
        clips,
        settings.scheme,
        seed=settings.seed,
        fold=settings.fold,
        folds=settings.folds,
        held_out=settings.held_out,
    )
    return clips, parts


def _calibration(
    place: Place, folder: Path, settings: Settings, args: argparse.Namespace
) -> Calibration:
    model = Recognizer(folder, settings.device)
    heard = listening_of(place, model, settings, args).clips(_parted(settings)[1].validation)
    return recalibrate(heard)


def listening_of(
    place: Place, model: Recognizer, settings: Settings, args: argparse.Namespace
) -> Listening:
    """Return a model with what it needs to hear clips, and to remember what it heard."""
    return Listening(
        model,
        place.home / "cache" / "report",
        DecodedClips(cache_folder(place.home), model.specification.sample_rate),
        settings.precision,
        tick=getattr(args, "hearing", None),
        log=progress_of(args).log,
    )


def _unheard(settings: Settings, names: Sequence[str] | None, test: Sequence[Clip]) -> list[Clip]:
    trained = {clip.corpus for clip in test} | set(settings.names)
    if not names:
        readings = read_all(settings.corpora)
        return [c for reading in readings for c in reading.clips if c.corpus not in trained]
    if both := sorted(trained & set(names)):
        raise DataError(f"{', '.join(both)}: trained on, so it isn't a corpus never heard")
    readings = read_all(settings.corpora, names)
    return [clip for reading in readings for clip in reading.clips]


def _aside(model: Recognizer, settings: Settings) -> list[str]:
    """Say which corpora were trained on but aren't here, and which are here but weren't."""
    trained = (model.metrics.get("settings") or {}).get("names") or ()
    here = sorted(path.name for path in Path(settings.corpora).iterdir() if path.is_dir())
    notes = []
    if missing := sorted(set(trained) - set(here)):
        notes.append(f"{', '.join(missing)}: trained on, but not in the folder of corpora.")
    if settings.names and (others := sorted(set(here) - set(settings.names))):
        notes.append(f"{', '.join(others)}: not among the corpora of these test speakers.")
    return notes


def _arithmetic(model: Recognizer, settings: Settings) -> str:
    held = autocast_dtype(settings.precision, model.device)
    word = "float32" if held is None else str(held).removeprefix("torch.")
    return (
        f"Clips were heard as the page hears them, {word} on {model.device.type}; clips that the "
        "page refuses are scored by the likeliest emotion all the same."
    )


def _provenance(held: Specification) -> dict[str, str]:
    return {
        "parent": held.parent,
        "seed": str(held.seed),
        "data_hash": held.data_hash,
        "label_revision": held.label_revision,
        **held.versions,
    }


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the remarks {path} can't be read: {error}") from error


def _studies(
    place: Place,
    listening: Listening,
    settings: Settings,
    args: argparse.Namespace,
    clips: Sequence[Clip],
    everything: Sequence[Clip],
) -> dict[str, Any]:
    """Return what --robustness, --cross-corpus and --leave-one-out ask for."""
    found: dict[str, Any] = {}
    if getattr(args, "robustness", False):
        found["robustness"] = studies.robustness(listening, clips)
    wanted = [n for n in ("cross_corpus", "leave_one_out") if getattr(args, n, False)]
    if not wanted:
        return found
    whole = list(everything) or read_corpora(settings)[0]
    known = [clip for clip in whole if clip.emotion in listening.model.emotions]
    train = _fitter(place, settings, args)
    if "cross_corpus" in wanted:
        found["cross_corpus"] = studies.cross_corpus(known, train)
    if "leave_one_out" in wanted:
        left: dict[str, CorpusScores] = studies.leave_one_corpus_out(
            known, train, seed=settings.seed
        )
        found["leave_one_out"] = left
    return found


def _fitter(place: Place, settings: Settings, args: argparse.Namespace) -> studies.Fit:
    """Return a function that trains on given splits; its models are kept under cache/."""
    from trainer import data

    def train(sides: Any, name: str) -> Recognizer:
        plain = dataclasses.replace(settings, scheme="fixed", held_out="", start="", max_clips=0)
        everything = [*sides.train, *sides.validation]
        prepared = prepare(plain, cache_folder(place.home), clips=everything, tick=args.tick)
        digests, _ = prepared.decoded.prepare(everything)
        parts = {
            "train": data.examples(sides.train, digests, prepared.emotions),
            "validation": data.examples(sides.validation, digests, prepared.emotions),
            "test": [],
        }
        work = place.home / "cache" / "studies" / name
        prepared = dataclasses.replace(prepared, sides=parts)
        trained = fit(
            plain,
            work / "model",
            work,
            cache_folder(place.home),
            prepared=prepared,
            progress=progress_of(args),
        )
        return Recognizer(trained.folder, settings.device)

    return train


def write_figures(folder: Path, found: Report) -> None:
    """Write metrics.json and the card of a checkpoint, each whole or not at all.

    Weights, specification and calibration are not touched.
    """
    held = checkpoint.load(folder)
    values = held.metrics | headline(found)
    text = json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
    report.write_text(folder / checkpoint.METRICS, text + "\n")
    report.write_text(folder / checkpoint.CARD, model_card(found, held.specification))
