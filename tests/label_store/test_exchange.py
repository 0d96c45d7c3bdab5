"""Tables in and out: nothing lost on a round trip, every bad row named, nothing changed unseen."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_store import ConflictError, LabelEvent, LabelStore, LabelTableError
from label_store.exchange import (
    LabelTable,
    apply,
    label_table,
    plan,
    read_csv,
    rows_of,
    to_audiofolder,
    to_csv,
    to_label_studio,
    to_parquet,
)
from label_store.exchange.formulas import defuse, restore
from label_store.projection import labels_csv, write_labels
from ser_core.corpora.tables import read_bytes, read_table

KNOWN = {"joy": "joy", "happy": "joy", "anger": "anger", "fear": "fear"}


def canonical(word: str) -> str:
    if word == "-":
        return ""
    if word.casefold() not in KNOWN:
        raise ValueError(f"“{word}” is not an emotion known here.")
    return KNOWN[word.casefold()]


def brought(data: bytes, name: str = "table.csv") -> LabelTable:
    """Return a table from elsewhere as the page and the command line hand it to the import."""
    table = read_bytes(data, name)
    return label_table(table.rows, table.problems)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    """Names and columns that break careless tables."""
    store = LabelStore(tmp_path / "home", writer="w")
    for n, name in enumerate(["=cmd.wav", "-sad 01.wav", "ä;ö, 'x'.wav", "'=q.wav", "b/a.wav"]):
        clip = store.keep_clip(f"clip {n}".encode(), ".wav")
        store.append(
            LabelEvent(
                action="label",
                annotator="ada",
                clip=clip,
                file_name=name,
                corpus="mine",
                emotion=["joy", "anger"][n % 2],
                start=0.5 if n == 2 else None,
                end=1.25 if n == 2 else None,
                extra={"Room": f"+{n}", "said": 'two\nlines "q"'},
            )
        )
    return store


@given(st.text())
def test_restoring_undoes_defusing(cell: str) -> None:
    assert restore(defuse(cell)) == cell
    assert not defuse(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("options", [{}, {"bom": True}, {"delimiter": ";"}, {"delimiter": "\t"}])
def test_csv_round_trips_and_no_cell_is_a_formula(store: LabelStore, options: dict) -> None:
    rows = rows_of(store)
    data = to_csv(rows, **options)
    cells = csv.reader(
        io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=options.get("delimiter", ",")
    )
    assert not [cell for row in cells for cell in row if cell[:1] in set("=+-@\t\r")]
    assert _bare(read_csv(data).rows) == _bare(rows)


def test_parquet_and_audiofolder_round_trip(store: LabelStore, tmp_path: Path) -> None:
    rows = rows_of(store)
    assert _bare(brought(to_parquet(rows, store.clips.paths()), "x.parquet").rows) == _bare(rows)
    assert to_audiofolder(rows, store.clips.paths(), tmp_path / "set") == 0
    table = read_table(tmp_path / "set" / "metadata.csv")
    assert _bare(label_table(table.rows).rows) == _bare(rows)
    with (tmp_path / "set" / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            data = (tmp_path / "set" / row["file_name"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == row["clip"]


def test_label_studio_round_trips_every_annotator(store: LabelStore, tmp_path: Path) -> None:
    clip = hashlib.sha256(b"clip 0").hexdigest()
    store.append(LabelEvent(action="label", annotator="ben", clip=clip, emotion="fear"))
    table = brought(to_label_studio(store), "x.json")
    other = LabelStore(tmp_path / "other")
    apply(other, plan(other, table, "eve", canonical, keep_annotators=True))
    for view in store.state().clips():
        there = other.clip(view.key)
        assert (there.file_name, there.corpus) == (view.file_name, view.corpus)
        for span, by_annotator in view.annotations.items():
            assert {n: e.emotion for n, e in there.annotations[span].items()} == {
                n: e.emotion for n, e in by_annotator.items()
            }


def test_an_import_rebuilds_the_same_table_elsewhere(store: LabelStore, tmp_path: Path) -> None:
    other = LabelStore(tmp_path / "other")
    table = brought(to_csv(rows_of(store)))
    made = plan(other, table, "eve", canonical)
    assert other.revision == 0
    assert made.counts() == {"new": 5}
    apply(other, made)
    assert to_csv(rows_of(other)) == to_csv(rows_of(store))
    assert plan(other, table, "eve", canonical).counts() == {"same": 5}


def test_a_plan_shows_relabels_and_renames_and_refuses_a_store_that_moved(store) -> None:
    clip = hashlib.sha256(b"clip 1").hexdigest()
    data = f"Filename,Emotion,Clip\nbetter.wav,happy,{clip}\n".encode()
    made = plan(store, brought(data), "ada", canonical)
    (change,) = made.changes
    assert (change.kind, change.before, change.former_name) == (
        "relabel+rename",
        "anger",
        "-sad 01.wav",
    )
    store.append(LabelEvent(action="label", annotator="ben", clip=clip, emotion="fear"))
    before = store.revision
    with pytest.raises(ConflictError):
        apply(store, made)
    assert store.revision == before
    apply(store, plan(store, brought(data), "ada", canonical))
    assert store.clip(clip).file_name == "better.wav"
    assert store.clip(clip).whole() == {"ada": "joy", "ben": "fear"}


def test_bad_rows_are_named_by_line_and_reason(tmp_path: Path) -> None:
    rows = [
        "good.wav,joy",
        "/etc/passwd,joy",
        "../up.wav,joy",
        "C:\\x.wav,joy",
        "nul\0.wav,joy",
        f"{'x' * 1_000_000},joy",
        "odd.wav,hungry",
        "twice.wav,joy",
        "twice.wav,Happy",
        "both.wav,joy",
        "both.wav,anger",
        ",joy",
        "empty.wav,",
        "long.wav,joy,1,2",
    ]
    table = brought(("Filename,Emotion\n" + "\n".join(rows) + "\n").encode())
    store = LabelStore(tmp_path)
    made = plan(store, table, "ada", canonical)
    kinds = {}
    for problem in made.problems:
        kinds.setdefault(problem.line, []).append(problem.kind)
        assert problem.reason.endswith((".", "…", "NUL byte)."))
    assert kinds == {
        2: ["missing-file"],
        3: ["missing-file"],
        4: ["missing-file"],
        5: ["missing-file"],
        6: ["unreadable-row"],
        7: ["unreadable-row"],
        8: ["unknown-emotion"],
        9: ["missing-file"],
        10: ["duplicate"],
        11: ["missing-file"],
        12: ["conflicting-duplicate"],
        13: ["unreadable-row"],
        14: ["no-emotion"],
        15: ["unreadable-row"],
    }
    assert [change.row.file_name for change in made.changes] == [
        "good.wav",
        "etc/passwd",
        "up.wav",
        "x.wav",
        "twice.wav",
    ]
    apply(store, made)
    assert store.revision == 5


@pytest.mark.parametrize("data", [b"", b"Filename,Mood\na.wav,joy\n", b"\xff\xfe\x00", b"a;b\n"])
def test_an_own_table_without_its_columns_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(LabelTableError, match=r"Filename|UTF|Emotion"):
        read_csv(data)


def test_the_projection_is_rebuilt_to_the_same_bytes(store: LabelStore) -> None:
    path = write_labels(store)
    first = path.read_bytes()
    assert first.startswith(b"Filename,Emotion,")
    path.unlink()
    assert write_labels(LabelStore(store.home)).read_bytes() == first
    assert b"=cmd.wav,joy," in first
    assert labels_csv(store, until=0).count(b"\n") == 1


def _bare(rows) -> list[tuple]:
    return [(r.file_name, r.emotion, r.corpus, r.clip, r.start, r.end, dict(r.extra)) for r in rows]
