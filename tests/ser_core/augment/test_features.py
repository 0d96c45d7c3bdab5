"""Effects on feature maps, and mixup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ser_core.augment import Chain, DrawnChain, mix_plan, mixup
from ser_core.errors import AugmentError


def drawn(name: str, **values: Any) -> DrawnChain:
    chain = Chain.from_json([{"name": name, **values}])
    return chain.draw(np.random.default_rng(3), 1, 16000)


def picture(frames: int = 100, bins: int = 40) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).standard_normal((2, bins, frames)).astype(np.float32)


@pytest.mark.parametrize("name", ["time_shift", "time_mask", "frequency_mask"])
def test_numpy_and_torch_agree_and_the_input_and_padding_stay(name: str) -> None:
    maps = picture()
    maps[..., 80:] = 0
    before = maps.copy()
    values = {"shift": 0.3} if name == "time_shift" else {"width": 0.2, "count": 3}
    chain = drawn(name, **values)
    result = chain.apply_features(maps, 80)
    other = chain.apply_features(torch.from_numpy(maps), 80)
    assert isinstance(other, torch.Tensor)
    assert np.allclose(result, other.numpy(), atol=1e-6)
    assert np.array_equal(maps, before)
    assert result.shape == maps.shape
    assert result.dtype == np.float32
    assert not np.array_equal(result, maps)
    assert not result[..., 80:].any()
    assert np.array_equal(chain.apply_features(maps, 80), result)
    again = DrawnChain.from_json(chain.to_json())
    assert np.array_equal(again.apply_features(maps, 80), result)


def test_a_time_mask_covers_whole_frames_and_a_frequency_mask_whole_bins() -> None:
    maps = picture()
    covered = (drawn("time_mask", width=0.15).apply_features(maps) != maps).any(axis=(0, 1))
    assert covered.sum() == 15
    assert np.ptp(np.flatnonzero(covered)) == 14
    covered = (drawn("frequency_mask", width=0.25).apply_features(maps) != maps).any(axis=(0, 2))
    assert covered.sum() == 10
    assert np.ptp(np.flatnonzero(covered)) == 9


def test_masks_cover_with_the_mean_of_what_is_valid() -> None:
    maps = picture()
    masked = drawn("time_mask", width=1.0).apply_features(maps, 60)
    assert np.allclose(masked[..., :60], maps[..., :60].mean())
    assert np.array_equal(masked[..., 60:], maps[..., 60:])


def test_a_time_shift_rolls_or_fills() -> None:
    maps = picture()
    assert np.array_equal(
        drawn("time_shift", shift=0.25).apply_features(maps), np.roll(maps, 25, axis=-1)
    )
    assert np.array_equal(
        drawn("time_shift", shift=-0.25).apply_features(maps), np.roll(maps, -25, axis=-1)
    )
    later = drawn("time_shift", shift=0.25, rollover=0).apply_features(maps)
    assert np.array_equal(later[..., 25:], maps[..., :75])
    assert (later[..., :25] == maps.min()).all()
    earlier = drawn("time_shift", shift=-0.25, rollover=0).apply_features(maps)
    assert np.array_equal(earlier[..., :75], maps[..., 25:])
    for whole in (-1, 1):
        gone = drawn("time_shift", shift=whole, rollover=0).apply_features(maps)
        assert (gone == maps.min()).all()
        assert np.array_equal(drawn("time_shift", shift=whole).apply_features(maps), maps)


@pytest.mark.parametrize("frames", [0, 1, 2])
@pytest.mark.parametrize("name", ["time_shift", "time_mask", "frequency_mask"])
def test_tiny_maps_survive(name: str, frames: int) -> None:
    values = {"shift": 1.0} if name == "time_shift" else {"width": 1.0, "count": 10}
    maps = picture(frames=2)
    assert np.isfinite(drawn(name, **values).apply_features(maps, frames)).all()


def test_gradients_flow_through_a_mask() -> None:
    maps = torch.randn(1, 8, 20, requires_grad=True)
    drawn("frequency_mask", width=0.5).apply_features(maps).sum().backward()
    assert maps.grad is not None
    assert bool(torch.isfinite(maps.grad).all())


def test_one_recipe_holds_both_kinds() -> None:
    chain = Chain.from_json([{"name": "gain", "gain": -6}, {"name": "time_mask", "width": 0.5}])
    both = chain.draw(np.random.default_rng(0), 10, 16000)
    sound = np.ones((1, 10), np.float32)
    assert np.allclose(both.apply(sound, 16000), 10 ** (-6 / 20))
    assert not np.array_equal(both.apply_features(picture()), picture())
    with pytest.raises(AugmentError, match="channel, bin, frame"):
        both.apply_features(np.zeros((3, 4), np.float32))


def test_mixup_mixes_values_and_targets_in_the_same_shares() -> None:
    targets = torch.eye(6)
    values = targets.reshape(6, 1, 6).repeat(1, 3, 1) * 10
    frames = torch.arange(1, 7)
    mixed, soft, lengths = mixup(values, targets, frames, 0.4, np.random.default_rng(0))
    assert torch.allclose(mixed[:, 1], soft * 10, atol=1e-5)
    assert torch.allclose(soft.sum(1), torch.ones(6))
    assert bool((soft.diagonal() >= 0.5 - 1e-6).all())
    assert not torch.allclose(soft, targets)
    partners, _ = mix_plan(6, 0.4, np.random.default_rng(0))
    assert torch.equal(lengths, torch.maximum(frames, frames[partners]))
    again, _, _ = mixup(values, targets, frames, 0.4, np.random.default_rng(0))
    assert torch.equal(again, mixed)


def test_mixup_refuses_what_does_not_fit() -> None:
    with pytest.raises(AugmentError, match="targets"):
        mixup(torch.zeros(3, 4), torch.zeros(2, 4), torch.ones(3), 0.4, np.random.default_rng(0))
    with pytest.raises(AugmentError, match="alpha"):
        mix_plan(3, 0.0, np.random.default_rng(0))


def test_a_frequency_shift_moves_every_bin_and_repeats_the_outermost() -> None:
    maps = np.arange(20, dtype=np.float32).reshape(1, 20, 1).repeat(4, axis=2)
    chain = Chain.from_json([{"name": "frequency_shift", "shift": 0.1}])
    up = chain.draw(np.random.default_rng(0)).apply_features(maps, 3)
    assert up[0, :, 0].tolist() == [0, 0, *range(18)]
    assert up[0, :, 3].tolist() == maps[0, :, 3].tolist()
    tensor = chain.draw(np.random.default_rng(0)).apply_features(torch.from_numpy(maps), 3)
    assert np.array_equal(tensor.numpy(), up)
    down = Chain.from_json([{"name": "frequency_shift", "shift": -0.1}])
    lowered = down.draw(np.random.default_rng(0)).apply_features(maps, 4)
    assert lowered[0, :, 0].tolist() == [*range(2, 20), 19, 19]
