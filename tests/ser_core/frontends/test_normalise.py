"""Scaling over valid frames."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ser_core.errors import SpecificationError
from ser_core.frontends import FeatureMap
from ser_core.frontends.normalisations import NORMALISATIONS
from ser_core.frontends.normalise import Normaliser, fit_corpus


def example(seed: int = 0) -> FeatureMap:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(3, 2, 5, 12, generator=generator) * 7 - 30
    return FeatureMap(values, torch.tensor([12, 7, 3]))


def normaliser(kind: str) -> Normaliser:
    if kind == "corpus":
        return Normaliser(kind, mean=[-30.0] * 5, std=[7.0] * 5)
    return Normaliser(kind)


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_padding_is_zero_and_changes_nothing(kind: str) -> None:
    features = example()
    scaled = normaliser(kind)(features)
    other = features.values.masked_fill(~features.mask[:, None, None, :], 1e4)
    again = normaliser(kind)(FeatureMap(other, features.lengths))
    torch.testing.assert_close(again.values, scaled.values)
    assert not scaled.values.masked_select(~features.mask[:, None, None, :]).any()


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_a_clip_alone_is_what_it_is_in_a_batch(kind: str) -> None:
    features = example()
    together = normaliser(kind)(features).values
    for index, length in enumerate(features.lengths.tolist()):
        part = features.values[index : index + 1, ..., :length]
        alone = normaliser(kind)(FeatureMap(part, features.lengths[index : index + 1])).values
        torch.testing.assert_close(together[index : index + 1, ..., :length], alone)


def test_each_kind_reaches_what_it_promises() -> None:
    features = example()
    for index, length in enumerate(features.lengths.tolist()):
        valid = slice(0, length)
        minmax = normaliser("minmax")(features).values[index, ..., valid]
        assert float(minmax.min()) == 0
        assert float(minmax.max()) == pytest.approx(1)
        zscore = normaliser("zscore")(features).values[index, ..., valid]
        assert float(zscore.mean()) == pytest.approx(0, abs=1e-5)
        assert float(zscore.std(correction=0)) == pytest.approx(1, abs=1e-4)
        bins = normaliser("zscore_bin")(features).values[index, ..., valid].transpose(0, 1)
        torch.testing.assert_close(bins.mean((1, 2)), torch.zeros(5), atol=1e-5, rtol=0)
        torch.testing.assert_close(bins.std((1, 2), correction=0), torch.ones(5))
        plain = normaliser("none")(features).values[index, ..., valid]
        assert torch.equal(plain, features.values[index, ..., valid])


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("level", [0.0, -100.0])
def test_silence_stays_finite(kind: str, level: float) -> None:
    silent = FeatureMap(torch.full((2, 1, 5, 9), level), torch.tensor([9, 1]))
    scaled = normaliser(kind)(silent).values
    assert torch.isfinite(scaled).all()
    if kind in ("minmax", "zscore", "zscore_bin"):
        assert not scaled.any()


def test_corpus_statistics_are_scikit_learns_over_valid_frames() -> None:
    from sklearn.preprocessing import StandardScaler

    batches = [example(seed) for seed in range(4)]
    rows = np.concatenate(
        [
            b.values[i, :, :, :n].permute(0, 2, 1).reshape(-1, 5).numpy()
            for b in batches
            for i, n in enumerate(b.lengths.tolist())
        ]
    )
    scaler = StandardScaler().fit(rows)
    fitted = fit_corpus(batches)
    np.testing.assert_allclose(fitted.mean.numpy(), scaler.mean_, rtol=1e-5)
    np.testing.assert_allclose(fitted.std.numpy(), scaler.scale_, rtol=1e-5)
    again = Normaliser.from_json(fitted.to_json())
    assert torch.equal(again(batches[0]).values, fitted(batches[0]).values)


def test_corpus_statistics_hold_one_batch_at_a_time() -> None:
    held: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def stream() -> Iterator[FeatureMap]:
        nonlocal most
        for seed in range(5):
            features = example(seed)
            held.append(weakref.ref(features.values))
            yield features
            del features
            gc.collect()
            most = max(most, sum(ref() is not None for ref in held))

    fit_corpus(stream())
    assert most == 1


def test_a_bin_that_never_changes_keeps_its_scale() -> None:
    fitted = fit_corpus([FeatureMap(torch.full((1, 1, 2, 4), 3.0), torch.tensor([4]))])
    assert fitted.std.tolist() == [1.0, 1.0]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SpecificationError, match="mean and std"):
        Normaliser("corpus")
    with pytest.raises(SpecificationError, match="median"):
        Normaliser("median")
    with pytest.raises(SpecificationError, match="no frames"):
        fit_corpus([])
    with pytest.raises(SpecificationError, match="not numbers"):
        fit_corpus([FeatureMap(torch.full((1, 1, 2, 4), torch.nan), torch.tensor([4]))])
    with pytest.raises(SpecificationError, match="bins"):
        Normaliser("corpus", [0.0], [1.0])(example())
