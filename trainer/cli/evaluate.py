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

from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.specification import Specification
from ser_core.corpora import read_all
from ser_core.corpora.clip import Clip
from ser_core.corpora.splits import Splits, split
from ser_core.device import autocast_dtype
from ser_core.files import write_text
from ser_core.inference.recognizer import Recognizer
from trainer.cli.arguments import callbacks_of, folder_of, tracked
from trainer.cli.context import Context
from trainer.data.decoded import DecodedClips
from trainer.data.prepare import prepare, read_corpora
from trainer.errors import DataError
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.corruptions import stratified
from trainer.evaluation.evaluate import CorpusScores, Report, VoiceScore, evaluate, headline
from trainer.evaluation.voices import voice_scores
from trainer.experiments import generalisation
from trainer.experiments.out_of_fold_head import out_of_fold_predictions
from trainer.reporting import html_page, report, tables
from trainer.reporting.card import model_card
from trainer.reporting.sections import conditions, non_speech
from trainer.settings import Settings
from trainer.training.fit import fit


def evaluate_verb(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Print the figures of a checkpoint on the test speakers; write them where asked."""
    folder = folder_of(context, args.model)
    settings = as_trained(settings, folder)
    fitted = _calibration(context, folder, settings, args) if args.calibrate else None
    found = report_of(context, folder, settings, args, calibrated=fitted)
    print(report.terminal(found))
    writers: Mapping[str, Callable[[Report], str]] = {
        "json": report.to_json,
        "csv": report.to_csv,
        "html": html_page.to_html,
    }
    for ending, write in writers.items():
        wish = getattr(args, ending)
        if wish:
            write_text(Path(wish), write(found))
            print(f"wrote {wish}")
    if args.write:
        if fitted is not None:
            write_text(folder / checkpoint.CALIBRATION, fitted.to_json())
            print(f"wrote {folder / checkpoint.CALIBRATION}")
        write_figures(folder, found)
        print(f"wrote {folder / checkpoint.METRICS} and {folder / checkpoint.CARD}")
    return 0


def as_trained(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the corpora and the split that the checkpoint was trained with.

    A corpus list that is given goes over the checkpoint's; so does any split but "fixed", which
    is the default. Where none of the checkpoint's corpora is at
    hand, all that are there are used.
    """
    values = checkpoint.load(folder).metrics.get("settings")
    if not isinstance(values, dict):
        return settings
    taken: dict[str, Any] = {}
    if not settings.names:
        root = Path(settings.corpora)
        taken["names"] = [name for name in values.get("names") or () if (root / name).is_dir()]
    if settings.scheme == "fixed" and values.get("scheme", "fixed") != "fixed":
        keys = ("scheme", "fold", "folds", "held_out", "seed")
        taken |= {key: values[key] for key in keys if key in values}
    return settings.with_values(taken, f"the settings in {folder / checkpoint.METRICS}")


def report_of(
    context: Context,
    folder: Path,
    settings: Settings,
    args: argparse.Namespace,
    test: Sequence[Clip] | None = None,
    calibrated: Calibration | None = None,
) -> Report:
    """Return the report of a checkpoint: the test speakers, and whatever else was asked for.

    Args:
        context: where things are.
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
    inference = inference_of(context, model, settings, args)
    limit = model.calibration.entropy_limit
    complete = getattr(args, "complete", False)
    wish = getattr(args, "unseen_corpora", None)
    unseen = [] if wish is None and not complete else _unseen(settings, wish, test)
    unseen = _at_most(unseen, getattr(args, "unseen_clips", 0), settings.seed)
    remarks = getattr(args, "remarks", None)
    return Report(
        model.name,
        model.version,
        datetime.now(UTC).isoformat(timespec="seconds"),
        evaluate(inference.clips(clips), seed=settings.seed, entropy_limit=limit),
        **_studies(context, inference, settings, args, clips, everything),
        unseen_corpora=(
            evaluate(inference.clips(unseen), seed=settings.seed, entropy_limit=limit)
            if unseen
            else None
        ),
        conditions=(
            conditions(
                inference, stratified(clips, getattr(args, "condition_clips", 0), settings.seed)
            )
            if complete or getattr(args, "conditions", False)
            else ()
        ),
        non_speech=(
            non_speech(inference, args.sounds, settings.seed)
            if complete or getattr(args, "non_speech", False)
            else ()
        ),
        voices=(
            _voices(context, model, settings, args, clips, unseen)
            if complete or getattr(args, "voices", False)
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
    context: Context, folder: Path, settings: Settings, args: argparse.Namespace
) -> Calibration:
    progress = callbacks_of(args)
    if args.calibrate == "out-of-fold":
        held = checkpoint.load(folder)
        trim = held.specification.trim_silence
        prepared = prepare(
            dataclasses.replace(settings, trim_silence=trim),
            context.home.decoded,
            emotions=held.specification.emotions,
            tick=args.tick,
        )
        return calibrate(out_of_fold_predictions(held, prepared, progress, tick=args.predicting))
    model = Recognizer(folder, settings.device)
    clips = _parted(settings)[1].validation
    found = inference_of(context, model, settings, args).clips(clips)
    return calibrate(found, progress.log)


def inference_of(
    context: Context, model: Recognizer, settings: Settings, args: argparse.Namespace
) -> CachedInference:
    """Return a model with what it needs to predict clips, and to remember the predictions."""
    return CachedInference(
        model,
        context.home.report_cache,
        DecodedClips(context.home.decoded, model.specification.sample_rate),
        settings.precision,
        tick=getattr(args, "predicting", None),
        log=callbacks_of(args).log,
    )


def _voices(
    context: Context,
    model: Recognizer,
    settings: Settings,
    args: argparse.Namespace,
    clips: Sequence[Clip],
    unseen: Sequence[Clip],
) -> tuple[VoiceScore, ...]:
    decoded = DecodedClips(context.home.decoded, model.specification.sample_rate)
    tick = getattr(args, "predicting", None)
    return tuple(
        score
        for part, new in ((clips, False), (unseen, True))
        for score in voice_scores(model, part, decoded, unseen=new, seed=settings.seed, tick=tick)
    )


def _unseen(settings: Settings, names: Sequence[str] | None, test: Sequence[Clip]) -> list[Clip]:
    trained = {clip.corpus for clip in test} | set(settings.names)
    if not names:
        readings = read_all(settings.corpora)
        return [c for reading in readings for c in reading.clips if c.corpus not in trained]
    if both := sorted(trained & set(names)):
        raise DataError(f"{', '.join(both)}: trained on, so not an unseen corpus")
    readings = read_all(settings.corpora, names)
    return [clip for reading in readings for clip in reading.clips]


def _at_most(clips: Sequence[Clip], most: int, seed: int) -> list[Clip]:
    """Return at most about so many clips of each corpus, of each emotion the same share."""
    corpora: dict[str, list[Clip]] = {}
    for clip in clips:
        corpora.setdefault(clip.corpus, []).append(clip)
    return [clip for held in corpora.values() for clip in stratified(held, most, seed)]


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
        f"Clips were predicted as at the page, {word} on {model.device.type}; clips that get no "
        "answer there are scored by the likeliest emotion all the same."
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
    context: Context,
    inference: CachedInference,
    settings: Settings,
    args: argparse.Namespace,
    clips: Sequence[Clip],
    everything: Sequence[Clip],
) -> dict[str, Any]:
    """Return what --robustness, --cross-corpus and --leave-one-out ask for."""
    found: dict[str, Any] = {}
    if getattr(args, "robustness", False):
        found["robustness"] = generalisation.robustness(inference, clips)
    asked = [n for n in ("cross_corpus", "leave_one_out") if getattr(args, n, False)]
    if not asked:
        return found
    whole = list(everything) or read_corpora(settings)[0]
    known = [clip for clip in whole if clip.emotion in inference.model.emotions]
    train = _fitter(context, settings, args)
    if "cross_corpus" in asked:
        found["cross_corpus"] = generalisation.cross_corpus(known, train)
    if "leave_one_out" in asked:
        left: dict[str, CorpusScores] = generalisation.leave_one_corpus_out(
            known, train, seed=settings.seed
        )
        found["leave_one_out"] = left
    return found


def _fitter(context: Context, settings: Settings, args: argparse.Namespace) -> generalisation.Fit:
    """Return a function that trains on given splits; its models are kept under cache/."""
    from trainer.data import batches

    def train(sides: Any, name: str) -> CachedInference:
        plain = dataclasses.replace(settings, scheme="fixed", held_out="", start="", max_clips=0)
        everything = [*sides.train, *sides.validation]
        prepared = prepare(plain, context.home.decoded, clips=everything, tick=args.tick)
        digests, _ = prepared.decoded.prepare(everything)
        parts = {
            "train": batches.examples(sides.train, digests, prepared.emotions),
            "validation": batches.examples(sides.validation, digests, prepared.emotions),
            "test": [],
        }
        work = context.home.study(name)
        prepared = dataclasses.replace(prepared, sides=parts)
        with tracked(context, plain, args, name, callbacks_of(args)) as progress:
            trained = fit(
                plain,
                work / "model",
                work,
                context.home.decoded,
                prepared=prepared,
                progress=progress,
            )
        model = Recognizer(trained.folder, settings.device)
        return inference_of(context, model, settings, args)

    return train


def write_figures(folder: Path, found: Report) -> None:
    """Write metrics.json and the card of a checkpoint, each whole or not at all.

    Weights, specification and calibration are not touched.
    """
    held = checkpoint.load(folder)
    values = held.metrics | headline(found)
    text = json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
    write_text(folder / checkpoint.METRICS, text + "\n")
    write_text(folder / checkpoint.CARD, model_card(found, held.specification))
