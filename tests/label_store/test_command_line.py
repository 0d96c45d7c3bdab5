"""``python -m label_store`` as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore
from label_store.__main__ import main


def label(home: Path, data: bytes = b"one", annotator: str = "ada") -> str:
    store = LabelStore(home)
    clip = store.keep_clip(data, ".wav")
    store.append(LabelEvent(action="label", annotator=annotator, clip=clip, emotion="joy"))
    return clip


def test_a_laptop_and_a_space_meet_in_a_folder(tmp_path: Path, capsys) -> None:
    place = str(tmp_path / "copy")
    clip = label(tmp_path / "a")
    env = {"SER_HOME": str(tmp_path / "a"), "SER_SYNC": place, "SER_SYNC_CLIPS": "1"}
    assert main(["sync"], env) == 0
    assert "0 events received, 1 sent; 0 recordings received, 1 sent" in capsys.readouterr().out
    assert main(["sync", "--from", place, "--clips"], {"SER_HOME": str(tmp_path / "b")}) == 0
    assert LabelStore(tmp_path / "b").clip_path(clip) is not None
    assert LabelStore(tmp_path / "b").events() == LabelStore(tmp_path / "a").events()


def test_time_lines_go_out_and_in(tmp_path: Path, capsys) -> None:
    env = {"SER_HOME": str(tmp_path / "home")}
    store = LabelStore(tmp_path / "home")
    clip = store.keep_clip(b"sound", ".wav")
    segment = {"file_name": "a.wav", "corpus": "mine", "start": 0.5, "end": 1.25}
    store.append(
        LabelEvent(action="label", annotator="ada", clip=clip, emotion="joy", **segment)  # type: ignore[arg-type]
    )
    out = tmp_path / "out"
    assert main(["export", "textgrid", str(out)], env) == 0
    assert "Wrote 1 file to" in capsys.readouterr().out
    grid = out / "mine" / "a.TextGrid"
    grid.write_text(grid.read_text().replace('"joy"', '"fear"'))
    assert main(["import", str(out), "--keep-annotators"], env) == 0
    assert "1 relabel" in capsys.readouterr().out
    assert [e.emotion for e in LabelStore(tmp_path / "home").events()] == ["joy", "fear"]
    assert main(["export", "textgrid", str(out)], env) == 1
    assert "not empty" in capsys.readouterr().err
    assert main(["export", "rttm", str(tmp_path / "all.rttm")], env) == 0
    assert (tmp_path / "all.rttm").read_text().startswith("SPEAKER mine/a.wav 1 0.5 0.75 ")


def test_forgetting_reaches_the_place_and_the_other_side(tmp_path: Path, capsys) -> None:
    place = str(tmp_path / "copy")
    clip = label(tmp_path / "a", annotator="Ada Lovelace")
    env = {"SER_HOME": str(tmp_path / "a"), "SER_SYNC": place, "SER_SYNC_CLIPS": "1"}
    other = env | {"SER_HOME": str(tmp_path / "b")}
    assert main(["sync"], env) == 0
    assert main(["sync"], other) == 0
    assert main(["forget", "--annotator", "Ada Lovelace"], env) == 0
    assert "1 recordings gone" in capsys.readouterr().out
    assert main(["sync"], other) == 0
    for folder in ("a", "b", "copy"):
        files = [path for path in (tmp_path / folder).rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if b"Lovelace" in path.read_bytes()]
        assert not [path for path in files if clip in path.name]
    assert list(LabelStore(tmp_path / "b").clip(clip).whole().values()) == ["joy"]


@pytest.mark.parametrize(
    ("argv", "env", "words"),
    [
        (["sync"], {}, "set SER_SYNC"),
        (["sync"], {"SER_SYNC": "ftp://x"}, "hf://datasets/OWNER/NAME"),
        (["sync"], {"SER_SYNC": "copy", "SER_SYNC_CLIPS": "yes"}, "SER_SYNC_CLIPS is “yes”"),
        (["sync", "--from", "no/such/folder"], {}, "is it mounted"),
        (["forget", "--annotator", "carl"], {}, "Nobody named “carl”"),
        (["forget", "--clip", "abc"], {}, "no clip abc"),
        (["forget", "--older-than", "-1"], {}, "0 or more"),
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path: Path, capsys, argv, env, words) -> None:
    label(tmp_path)
    assert main(argv, {"SER_HOME": str(tmp_path)} | env) == 1
    told = capsys.readouterr()
    assert words in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_place_that_has_a_damaged_shard_is_told(tmp_path: Path, capsys) -> None:
    env = {"SER_HOME": str(tmp_path / "a"), "SER_SYNC": str(tmp_path / "copy")}
    label(tmp_path / "a")
    main(["sync"], env)
    (shard,) = (tmp_path / "copy").rglob("*.csv")
    shard.write_bytes(shard.read_bytes()[:-5])
    assert main(["sync"], env | {"SER_HOME": str(tmp_path / "b")}) == 1
    assert "left out" in capsys.readouterr().out


def test_help_comes_at_once_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\n"
        "from label_store.__main__ import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'], {})\n"
        "heavy = {'numpy', 'pandas', 'torch', 'boto3', 'huggingface_hub', 'pyarrow'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "sync" in done.stdout
