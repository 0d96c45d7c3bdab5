"""A step does what torch's own slower step does, wherever the numbers lie in memory."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ser_core.checkpoints.model import Model, build
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import FeatureMap
from trainer.settings import Settings
from trainer.training import parallel
from trainer.training.learner import Learner, clip_gradients


def model() -> Model:
    torch.manual_seed(0)
    return build(
        Specification(
            frontend_parameters={"n_mels": 32},
            backbone="cnn",
            emotions=("anger", "joy"),
            seconds=1.0,
        )
    )


def settings(**more: Any) -> Settings:
    return Settings().with_values({"precision": "fp32", "learning_rate": 0.01, **more})


def give_gradients(parameters: list[nn.Parameter], step: int, *, odd: bool) -> None:
    """Put gradients that look the same and lie as the weights do, or not."""
    drawn = torch.Generator().manual_seed(step)
    for parameter in parameters:
        grad = torch.randn(parameter.shape, generator=drawn)
        plain = grad.contiguous()
        last = grad.dim() == 4 and not odd
        parameter.grad = plain.contiguous(memory_format=torch.channels_last) if last else plain


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_step_is_the_step_of_the_plain_optimizer(optimizer: str, odd: bool) -> None:
    wanted = settings(optimizer=optimizer, gradient_clip=0.0)
    learner = Learner(model(), wanted, print)
    twin = copy.deepcopy(learner.model)
    groups = [
        {"params": [p for p in twin.parameters() if p.ndim > 1], "weight_decay": 5e-4},
        {"params": [p for p in twin.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    plain = {
        "sgd": lambda: torch.optim.SGD(groups, 0.01, 0.9, nesterov=True, foreach=False),
        "adam": lambda: torch.optim.Adam(groups, 0.01, foreach=False),
        "adamw": lambda: torch.optim.AdamW(groups, 0.01, foreach=False),
    }[optimizer]()
    theirs = [p for group in plain.param_groups for p in group["params"]]
    for step in range(4):
        give_gradients(learner.parameters, step, odd=odd)
        learner.update()
        give_gradients(theirs, step, odd=odd)
        plain.step()
    for mine, other in zip(learner.parameters, theirs, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)
    assert any(p.ndim == 4 and not p.is_contiguous() for p in learner.parameters)


def test_momentum_that_was_saved_in_another_layout_goes_on() -> None:
    runs = []
    for odd in (False, True):
        learner = Learner(model(), settings(), print)
        give_gradients(learner.parameters, 0, odd=False)
        learner.update()
        state = copy.deepcopy(learner.state_dict())
        if odd:
            for held in state["optimizer"]["state"].values():
                held["momentum_buffer"] = held["momentum_buffer"].contiguous()
        other = Learner(model(), settings(), print)
        other.load_state_dict(state)
        give_gradients(other.parameters, 1, odd=False)
        other.update()
        runs.append(other.parameters)
    for one, two in zip(*runs, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("most", [1e-3, 1.0, 1e6])
def test_clipping_is_torchs_clipping(most: float) -> None:
    weights = [nn.Parameter(torch.zeros(5, 4)), nn.Parameter(torch.zeros(3))]
    give_gradients(weights, 7, odd=False)
    twins = [nn.Parameter(torch.zeros_like(weight)) for weight in weights]
    give_gradients(twins, 7, odd=False)
    clip_gradients(weights, most)
    nn.utils.clip_grad_norm_(twins, most)
    for weight, twin in zip(weights, twins, strict=True):
        assert weight.grad is not None
        assert twin.grad is not None
        assert torch.equal(weight.grad, twin.grad)


def test_a_gradient_that_is_no_number_is_not_hidden_by_clipping() -> None:
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.tensor([1.0, float("nan"), 1.0])
    clip_gradients([weight], 1.0)
    assert bool(weight.grad.isnan().any())


def test_gradients_keep_their_layout_when_processes_add_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The other process has the same gradients.
    monkeypatch.setattr(parallel, "world", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.mul_(2))
    weights = Learner(model(), settings(), print).parameters
    give_gradients(weights, 3, odd=False)
    values = [np.array(weight.grad) for weight in weights]
    strides = [weight.grad.stride() for weight in weights if weight.grad is not None]
    weights[-1].grad = None
    parallel.sum_gradients(weights)
    for weight, value, stride in zip(weights[:-1], values[:-1], strides[:-1], strict=True):
        assert weight.grad is not None
        assert np.array_equal(weight.grad.numpy(), 2 * value)
        assert weight.grad.stride() == stride
    assert weights[-1].grad is not None
    assert not weights[-1].grad.any()


def test_the_average_that_takes_in_every_fourth_step_is_nearly_the_plain_one() -> None:
    learner = Learner(model(), settings(average=0.9), print)
    tensor = next(iter(learner.model.parameters()))
    wanted = tensor.detach().clone()
    for step in range(120):
        with torch.no_grad():
            tensor.fill_(step / 10)  # a slope, on which an average lags by decay / (1 - decay)
        learner.taken_in()
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * tensor.detach()
    mine = next(iter(learner.evaluated.parameters()))
    # Four steps at once weigh the last of them more: the lag is 7.7 steps of 0.1 in place of 9.
    assert float((mine - wanted).abs().max()) < 0.2
    assert float((mine - tensor).abs().max()) > 0.5


def test_what_does_not_learn_is_left_out_of_the_average() -> None:
    whole = model()
    frozen, learns = list(whole.parameters())[:2]
    frozen.requires_grad_(False)
    learner = Learner(whole, settings(average=0.5), print)
    learner.taken_in()  # the first is taken over whole
    before = [value.clone() for value in learner.evaluated.parameters()][:2]
    with torch.no_grad():
        frozen.add_(1)
        learns.add_(1)
    learner.taken_in()
    after = list(learner.evaluated.parameters())[:2]
    assert torch.equal(after[0], before[0])
    assert not torch.equal(after[1], before[1])


def test_a_resumed_learner_takes_the_average_at_the_same_steps() -> None:
    def steps(learner: Learner, count: int) -> None:
        for _ in range(count):
            with torch.no_grad():
                for parameter in learner.model.parameters():
                    parameter.mul_(0.99)
            learner.taken_in()

    whole, first = (Learner(model(), settings(average=0.9), print) for _ in range(2))
    steps(whole, 40)
    steps(first, 26)
    second = Learner(model(), settings(average=0.9), print)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(second, 14)
    for mine, theirs in zip(
        second.evaluated.parameters(), whole.evaluated.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("keep", [True, False])
def test_the_statistics_of_the_batch_norms_stay_where_asked(keep: bool) -> None:
    learner = Learner(model(), settings(keep_statistics=keep, learning_rate=0.01), print)
    before = {k: v.clone() for k, v in learner.model.state_dict().items()}
    learner.start(0, 4)
    values = torch.randn(4, 1, 32, 40, generator=torch.Generator().manual_seed(0))
    features = FeatureMap(values, torch.full((4,), 40))
    learner.backward(features, torch.eye(2).repeat(2, 1), torch.ones(4), held=False)
    learner.update()
    after = learner.model.state_dict()
    means = [name for name in before if name.endswith("running_mean")]
    assert means
    assert all(torch.equal(before[n], after[n]) for n in means) == keep
    weights = [name for name, _ in learner.model.named_parameters()]
    assert not all(torch.equal(before[n], after[n]) for n in weights)
