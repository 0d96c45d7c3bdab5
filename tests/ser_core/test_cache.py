"""The cache returns what was stored, never what is stale or torn, and stays in its size."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_core.cache import ArrayCache, key

NAMES = [key(str(number), {}, "1") for number in range(8)]


def test_an_array_comes_back_bit_by_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    cache = ArrayCache(tmp_path / "maps")
    for dtype in (np.float32, np.float16, np.int64, bool):
        array = (rng.standard_normal((2, 3, 5)) * 100).astype(dtype)
        cache.put(NAMES[0], array)
        back = cache.get(NAMES[0])
        assert back is not None
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)
    assert cache.get(NAMES[1]) is None


def test_it_computes_once_and_again_when_anything_changes(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path)
    computed: list[int] = []

    def compute() -> np.ndarray:
        computed.append(1)
        return np.full(3, len(computed))

    first = cache.get_or("a", {"n_mels": 64, "hop": 160}, "1", compute)
    same = cache.get_or("a", {"hop": 160, "n_mels": 64}, "1", compute)
    np.testing.assert_array_equal(first, same)
    assert len(computed) == 1
    for content, parameters, version in [
        ("b", {"n_mels": 64, "hop": 160}, "1"),
        ("a", {"n_mels": 65, "hop": 160}, "1"),
        ("a", {"n_mels": 64, "hop": 160, "power": 2.0}, "1"),
        ("a", {"n_mels": 64, "hop": 160}, "2"),
    ]:
        assert cache.get_or(content, parameters, version, compute)[0] == len(computed)
    assert len(computed) == 5


VALUES = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=4
)


@given(VALUES, VALUES)
def test_two_sets_of_parameters_share_a_name_only_when_equal(one: dict, other: dict) -> None:
    same = {k: (type(v), v) for k, v in one.items()} == {k: (type(v), v) for k, v in other.items()}
    assert (key("a", one, "1") == key("a", other, "1")) == same


def test_parameters_that_have_no_exact_form_are_refused() -> None:
    with pytest.raises(TypeError):
        key("a", {"fn": object()}, "1")
    with pytest.raises(ValueError, match="JSON"):
        key("a", {"x": float("nan")}, "1")
    with pytest.raises(ValueError, match="positive"):
        ArrayCache(Path(), 0)


@pytest.mark.parametrize("keep", [0, 1, 60, 200])
def test_a_torn_file_is_thrown_away(tmp_path: Path, keep: int) -> None:
    cache = ArrayCache(tmp_path)
    cache.put(NAMES[0], np.arange(100))
    path = next(tmp_path.rglob("*.npy"))
    path.write_bytes(path.read_bytes()[:keep])
    assert cache.get(NAMES[0]) is None
    assert not path.exists()
    cache.put(NAMES[0], np.arange(100))
    assert cache.get(NAMES[0]) is not None


def test_objects_are_neither_stored_nor_unpickled(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path)
    with pytest.raises(ValueError, match="Object arrays"):
        cache.put(NAMES[0], np.array([{}], dtype=object))
    assert list(tmp_path.rglob("*")) == [tmp_path / NAMES[0][:2]], "no draft is left"
    np.save(tmp_path / NAMES[0][:2] / f"{NAMES[0]}.npy", np.array([{}], dtype=object))
    assert cache.get(NAMES[0]) is None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, max_bytes=5 * 1200)
    for age, name in enumerate(NAMES[:5]):
        cache.put(name, np.zeros(128))  # 1152 bytes each
        path = next(tmp_path.rglob(f"{name}.npy"))
        os.utime(path, (1000 + age, 1000 + age))
    assert cache.get(NAMES[0]) is not None  # used just now
    cache.put(NAMES[5], np.zeros(128))
    assert cache.size() <= cache.max_bytes
    assert cache.get(NAMES[0]) is not None
    assert cache.get(NAMES[1]) is None
    assert cache.get(NAMES[5]) is not None
    cache.clear()
    assert cache.size() == 0


def test_a_second_cache_on_the_folder_counts_what_is_there(tmp_path: Path) -> None:
    for name in NAMES:
        ArrayCache(tmp_path, max_bytes=4000).put(name, np.zeros(128))
    assert ArrayCache(tmp_path).size() <= 4000


def _hammer(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cache = ArrayCache(folder, max_bytes=6000)
    for _ in range(150):
        number = int(rng.integers(8))
        array = cache.get(NAMES[number])
        if array is not None and not (array == number).all():
            raise SystemExit(1)
        cache.put(NAMES[number], np.full(128, number))


def test_processes_share_a_folder_without_mixing_or_tearing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_hammer, args=(tmp_path, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert not list(tmp_path.rglob("*.draft"))
