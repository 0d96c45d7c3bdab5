"""The verbs on labels: ``import``, ``export``, ``status``, ``agreement`` and ``rebuild``.

They stand above label_store because they need more than it: the corpora that a table's names are
looked up in, and what the trainer takes of the labels.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from label_store.cli.settings import StoreSettings, Verbs
from label_store.clips import write_whole
from label_store.errors import LabelTableError, StoreError
from label_store.exchange import (
    LabelRow,
    LabelTable,
    Located,
    RowProblem,
    apply,
    label_table,
    plan,
    timelines,
)
from label_store.store import LabelStore
from ser_core.home import Home

if TYPE_CHECKING:
    from ser_core.corpora.clip import Reading

FORMATS = ("csv", "excel", "parquet", "label-studio", "audiofolder", *timelines.FORMATS)


def add(verbs: Verbs) -> None:
    """Add the verbs to the command line."""
    one = verbs.add_parser(
        "import",
        help="take labels from a table or from time lines: CSV, Label Studio, TextGrid, ELAN …",
        description="Say what a table or a time line would change, and do it. The rules are the "
        "Corpus tab's. Tables: CSV, Label Studio, JSON lines, Parquet. Time lines: Praat TextGrid, "
        "ELAN, Audacity labels, SubRip, RTTM, audformat; a folder or a zip archive of them too.",
    )
    one.add_argument("table", metavar="FILE", type=Path)
    who = one.add_mutually_exclusive_group()
    who.add_argument("--annotator", metavar="NAME", default="import", help="whose labels they are")
    who.add_argument(
        "--keep-annotators", action="store_true", help="rows that name an annotator stay theirs"
    )
    one.add_argument(
        "--map", nargs="+", metavar="WORD=EMOTION", default=[],
        help="what a word of the table means; WORD=- leaves its rows out; kept with the corpus",
    )  # fmt: skip
    one.add_argument(
        "--column", nargs="+", metavar="FIELD=HEADING", default=[],
        help="which column holds a field: file_name, emotion, start, end, speaker, annotator",
    )  # fmt: skip
    one.add_argument("--dry-run", action="store_true", help="say what would change, save nothing")
    one.set_defaults(run=_guarded(import_table))
    two = verbs.add_parser("export", help="write the labels that stand")
    two.add_argument("format", choices=FORMATS)
    two.add_argument(
        "out", metavar="OUT", type=Path,
        help="a file; a folder for audiofolder, audformat and formats with a file for each clip",
    )  # fmt: skip
    two.set_defaults(run=_guarded(export))
    three = verbs.add_parser(
        "status", help="count events and labels: what trains, what not and why"
    )
    three.set_defaults(run=_guarded(status))
    four = verbs.add_parser("agreement", help="how far annotators agree, and how reliable each is")
    four.set_defaults(run=_guarded(show_agreement))
    five = verbs.add_parser("rebuild", help="write labels.csv anew from the events")
    five.set_defaults(run=_guarded(rebuild))


def _guarded(
    work: Callable[[argparse.Namespace, StoreSettings], int],
) -> Callable[[argparse.Namespace, StoreSettings], int]:
    def run(args: argparse.Namespace, settings: StoreSettings) -> int:
        from ser_core.errors import SerError

        try:
            return work(args, settings)
        except SerError as error:
            raise LabelTableError(str(error)) from error

    return run


def _readings(home: Path) -> list[Reading]:
    from ser_core.corpora import read_all

    root = Home(home).corpora
    return read_all(root, cache=Home(home).decoded / "unpacked") if root.is_dir() else []


def import_table(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Plan the import of a table, print the plan, and do it unless it is a dry run.

    Raises:
        StoreError: the table can't be read, or the disk did not take the labels.
    """
    from ser_core.audio.length import ended_by
    from ser_core.corpora.base import content_hash
    from ser_core.corpora.lookup import FileLookup
    from ser_core.corpora.tables.names import NoMatch
    from ser_core.corpora.tables.words import (
        keep_words,
        parse_mapping,
        parse_pairs,
        read_mapping,
        read_word,
    )
    from ser_core.errors import UnknownEmotionError

    given = parse_mapping(parse_pairs("\n".join(map(_quoted, args.map))))
    table, notes = _read(args.table, parse_pairs(",".join(args.column)))
    readings = _readings(settings.home)
    root = Home(settings.home).corpora
    store = LabelStore(settings.home)
    words = dict(given)
    for folder in (*(root / reading.corpus for reading in readings), store.folder):
        words = read_mapping(folder) | words
    lookup = FileLookup.of_readings(readings)

    def locate(row: LabelRow) -> Located | RowProblem | None:
        found = lookup.find(row.corpus, row.file_name)
        if isinstance(found, NoMatch):
            if found.kind == "missing-file":
                return None
            return RowProblem(row.line, row.file_name, found.kind, found.reason)
        segment = row.start is not None or row.end is not None
        ended = ended_by(found.path, row.start) if segment else None
        return Located(content_hash(found.path), found.name, found.corpus, found.remark, ended)

    made = plan(
        store,
        table,
        args.annotator,
        lambda word: read_word(word, words).emotion,
        refusal=UnknownEmotionError,
        locate=locate,
        keep_annotators=args.keep_annotators,
    )
    for note in notes:
        print(note)
    kinds = Counter(change.kind for change in made.changes)
    print(", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "No row can be taken.")
    problems: dict[str, list[RowProblem]] = {}
    for problem in made.problems:
        problems.setdefault(problem.kind, []).append(problem)
    for kind, found in problems.items():
        first = found[0]
        print(
            f"{len(found)} × {kind.replace('-', ' ')}, for example row {first.line}: "
            f"{first.name + ': ' if first.name else ''}{first.reason}"
        )
    if args.dry_run:
        print("Nothing was saved: a dry run.")
        return 0
    saved = apply(store, made)
    corpora = {change.row.corpus for change in made.changes}
    keep_words(root, corpora, given, write_whole, otherwise=store.folder)
    print(f"Saved {len(saved)} {'event' if len(saved) == 1 else 'events'}.")
    return 0 if made.changes else 1


def _quoted(pair: str) -> str:
    """Return a pair whose word the shell took the quotes from, such as ``joy, great=joy``."""
    word, _, meaning = pair.partition("=")
    plain = pair.count("=") == 1 and "," in word and '"' not in word
    return f'"{word}"={meaning}' if plain else pair


def _read(path: Path, columns: dict[str, str]) -> tuple[LabelTable, tuple[str, ...]]:
    """Return what a table or a time line holds, and the notes on it."""
    from ser_core.corpora.tables import read_bytes
    from ser_core.corpora.tables.words import is_emotion

    try:
        if path.is_dir():
            return timelines.read_folder(path, is_emotion), ()
        data = path.read_bytes()
    except OSError as error:
        raise LabelTableError(f"{path.name}: can't be read ({error.strerror or error}).") from error
    if timelines.takes(data, path.name):
        return timelines.read(data, path.name, is_emotion), ()
    table = read_bytes(data, path.name, columns)
    return label_table(table.rows, table.problems), tuple(table.notes)


def export(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Write the labels that stand in a format.

    Raises:
        StoreError: the disk did not take them.
    """
    from label_store.exchange import (
        rows_of,
        to_audiofolder,
        to_csv,
        to_label_studio,
        to_parquet,
    )

    store = LabelStore(settings.home)
    if args.format in timelines.FORMATS:
        return _export_lines(store, args.format, args.out)
    rows = rows_of(store)
    if args.format == "audiofolder":
        missing = to_audiofolder(rows, store.clips.paths(), args.out)
        print(f"Wrote {len(rows) - missing} clips; {missing} labels have no audio in the store.")
        return 0
    made: dict[str, Callable[[], bytes]] = {
        "csv": lambda: to_csv(rows),
        "excel": lambda: to_csv(rows, delimiter=";", bom=True),
        "parquet": lambda: to_parquet(rows),
        "label-studio": lambda: to_label_studio(store),
    }
    try:
        write_whole(args.out, made[args.format]())
    except OSError as error:
        raise StoreError(f"{args.out} can't be written: {error.strerror or error}.") from error
    print(f"Wrote {len(rows)} labels to {args.out}.")
    return 0


def _export_lines(store: LabelStore, kind: str, out: Path) -> int:
    from ser_core.audio.length import seconds_of

    form = timelines.FORMATS[kind]
    lines = timelines.lines_of(store, by_annotator=form.by_annotator, seconds_of=seconds_of)
    files = form.files(lines)
    if kind != "rttm" and out.is_dir() and any(out.iterdir()):
        raise StoreError(f"{out} is not empty; choose a new folder.")
    try:
        for name, data in files.items():
            path = out if kind == "rttm" else out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
    except OSError as error:
        raise StoreError(f"{out} can't be written: {error.strerror or error}.") from error
    print(f"Wrote {len(files)} {'file' if len(files) == 1 else 'files'} to {out}.")
    print(" ".join(timelines.left_out(form, lines)))
    return 0


def status(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Print events, labels, and which labels train and which not, with the reasons.

    Raises:
        StoreError: the list of trusted annotators is damaged.
    """
    from ser_core.checkpoints.champion import champion_folder
    from ser_core.checkpoints.specification import Specification
    from trainer.data.standing import CorpusSides, standing

    store = LabelStore(settings.home)
    shipped = Path(__file__).resolve().parents[2] / "models" / "default"
    model = champion_folder(settings.home, shipped)
    text = (model / "specification.json").read_text(encoding="utf-8")
    emotions = Specification.from_json(text).emotions
    found = standing(store, CorpusSides.of(_readings(settings.home)), emotions)
    state = store.state()
    people = _annotators(store)
    by = "1 annotator" if people == 1 else f"{people} annotators"
    print(f"{len(state)} events, {found.total} labels by {by}.")
    print("\n".join(found.lines()))
    for report in store.reports:
        print(f"{report.file}: {report.reason}")
    return 0


def _annotators(store: LabelStore) -> int:
    return len({entry.annotator for entry in store.state().entries if entry.action == "label"})


def show_agreement(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Print Krippendorff's alpha, Cohen's kappas, and Dawid and Skene's reliabilities."""
    from label_store.adjudication import alpha_before_after, disputes
    from label_store.agreement import agreement, annotations_by_clip, with_others
    from label_store.reliability import dawid_skene, wilson

    state = LabelStore(settings.home).state()
    items = annotations_by_clip(state)
    found = agreement(items)
    if not found.shared:
        print("No clip has been labelled by two annotators yet, so there is no agreement to show.")
        return 0
    print(f"{found.shared} clips have two or more annotators.")
    print(f"Krippendorff's alpha: {_num(found.alpha)}")
    for emotion, alpha in found.by_emotion.items():
        print(f"  {emotion}: {_num(alpha)}")
    for pair in found.pairs:
        print(
            f"{pair.first}, {pair.second}: {pair.clips} clips, {pair.share:.0%} alike, "
            f"Cohen's kappa {_num(pair.kappa)}"
        )
    print("How often each names what most of the others name, with the 95 % interval:")
    for name, by in with_others(items).items():
        for emotion, (alike, seen) in by.items():
            low, high = wilson(alike, seen)
            print(f"  {name}, {emotion}: {alike} of {seen} ({low:.0%} to {high:.0%})")
    print("How often each names the likely emotion (Dawid and Skene):")
    for name, share in sorted(dawid_skene(items).reliability().items(), key=lambda one: -one[1]):
        print(f"  {name}: {share:.2f}")
    waiting, settled = disputes(state), disputes(state, settled=True)
    if settled:
        after = alpha_before_after(state).after
        print(f"With the {len(settled)} that a reviewer decided, alpha is {_num(after)}.")
    print(f"{len(waiting)} wait for a reviewer to decide: python -m label_store adjudicate")
    return 0


def _num(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def rebuild(args: argparse.Namespace, settings: StoreSettings) -> int:
    """Write ``labels/labels.csv`` anew from the events.

    Raises:
        SaveError: the disk did not take it.
    """
    from label_store.projection import write_labels

    print(write_labels(LabelStore(settings.home)))
    return 0
