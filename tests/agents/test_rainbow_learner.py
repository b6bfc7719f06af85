"""The gradient step that is written out, held to torch's own derivatives of the network and loss as one reads them."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from MLOps.agents.rainbow_learner import RainbowLearner
from MLOps.errors import DivergenceError
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.replay.transitions import ReplayBatch
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import RainbowModelSettings, RainbowTrainingSettings, TrainRainbowSettings

SIZE, WIDTH, ACTIONS = 16, 7, 3
SWITCHES = ("is_double", "is_dueling", "is_categorical", "is_noisy")


@pytest.fixture(scope="module")
def settings() -> TrainRainbowSettings:
    return compose_settings(TrainRainbowSettings, "train_rainbow")


def of_model(settings: TrainRainbowSettings, **changes: Any) -> RainbowModelSettings:
    small = {"hidden_sizes": (11, 9), "stream_size": 5, "atoms": 13, "v_min": -2.0, "v_max": 3.0}
    return settings.model.model_copy(update={**small, **changes})


def of_training(settings: TrainRainbowSettings, **changes: Any) -> RainbowTrainingSettings:
    return settings.training.model_copy(update={"batch_size": SIZE, "max_grad_norm": 1e9, **changes})


def drawn_batch(seed: int = 3) -> ReplayBatch:
    generator = np.random.default_rng(seed)
    discounts = np.where(generator.random(SIZE) < 0.3, 0.0, 0.9).astype(np.float32)
    return ReplayBatch(
        np.arange(SIZE),
        generator.normal(size=(SIZE, WIDTH)).astype(np.float32),
        generator.integers(0, ACTIONS, SIZE),
        generator.normal(size=SIZE).astype(np.float32),
        generator.normal(size=(SIZE, WIDTH)).astype(np.float32),
        discounts,
        generator.random(SIZE).astype(np.float32),
    )


class Sides:
    """A learner, and networks of the same parameters that torch differentiates."""

    def __init__(self, model: RainbowModelSettings, training: RainbowTrainingSettings) -> None:
        def network(seed: int) -> RainbowNetwork:
            return RainbowNetwork(WIDTH, ACTIONS, model, torch.Generator().manual_seed(seed))

        self.network, self.model = network(1), model
        self.learner = RainbowLearner(self.network, network(2), model, training, torch.Generator().manual_seed(5))
        other = network(9)
        self.learner.restore({**self.learner.state(), "target": _flat(other, self.learner)})
        self.online, self.target = network(1), other
        self._noise = torch.Generator().manual_seed(5)

    def draw(self) -> None:
        """The noise that the learner draws: for the online network, then for the target."""
        for network in (self.online, self.target):
            layers = network.noisy_layers()
            if not layers:
                continue
            sizes = [size for layer in layers for size in (layer.weight.shape[1], layer.weight.shape[0])]
            normal = torch.empty(sum(sizes)).normal_(generator=self._noise)
            noise = (normal.sign() * normal.abs().sqrt()).split(sizes)
            for i, layer in enumerate(layers):
                layer.noise_in.copy_(noise[2 * i])
                layer.noise_out.copy_(noise[2 * i + 1])

    def loss(self, batch: ReplayBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted loss, and what each transition counts for as a priority."""
        observations, later = torch.from_numpy(batch.observations), torch.from_numpy(batch.next_observations)
        rows, actions = torch.arange(SIZE), torch.from_numpy(batch.actions)
        returns, discounts, weights = map(torch.from_numpy, (batch.returns, batch.discounts, batch.weights))
        with torch.no_grad():
            chosen = (self.online if self.model.is_double else self.target).q_values(later).argmax(1)
            judged = self.target(later)[rows, chosen]
        told = self.online(observations)[rows, actions]
        if not self.model.is_categorical:
            difference = told[:, 0] - (returns + discounts * judged[:, 0])
            return (
                weights * torch.nn.functional.huber_loss(difference, torch.zeros(SIZE), reduction="none")
            ).mean(), difference.abs()
        wanted = self._projected(judged.softmax(-1), returns, discounts)
        cross_entropy = -(wanted * told.log_softmax(-1)).sum(-1)
        return (weights * cross_entropy).mean(), cross_entropy + torch.xlogy(wanted, wanted).sum(-1)

    def _projected(self, judged: torch.Tensor, returns: torch.Tensor, discounts: torch.Tensor) -> torch.Tensor:
        """By the triangular kernel between atoms, rather than by sharing between neighbours."""
        support = self.online.support
        moved = (returns[:, None] + discounts[:, None] * support).clamp(support[0], support[-1])
        distance = (moved[:, None, :] - support[None, :, None]).abs() / (support[1] - support[0])
        return ((1 - distance).clamp(min=0) * judged[:, None, :]).sum(-1)


def _flat(network: RainbowNetwork, learner: RainbowLearner) -> torch.Tensor:
    """Parameters in the order of the learner's vector."""
    from MLOps.agents.folded_network import FoldedNetwork

    copied = RainbowNetwork(WIDTH, ACTIONS, _model_of(network, learner), torch.Generator())
    copied.load_state_dict(network.state_dict())
    return FoldedNetwork(copied).parameters


def _model_of(_network: RainbowNetwork, learner: RainbowLearner) -> RainbowModelSettings:
    return learner._model


@pytest.mark.parametrize("switched", list(product((True, False), repeat=4)), ids=str)
def test_slope_is_that_of_the_loss(settings: TrainRainbowSettings, switched: tuple[bool, ...]) -> None:
    sides = Sides(of_model(settings, **dict(zip(SWITCHES, switched, strict=True))), of_training(settings))
    batch = drawn_batch()
    sides.draw()
    loss, errors = sides.loss(batch)
    loss.backward()
    update = sides.learner.update(batch)
    assert update.loss == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(update.errors, errors.detach(), rtol=1e-4, atol=1e-6)
    views = dict(sides.network.named_parameters())
    for name, parameter in sides.online.named_parameters():
        place = (views[name].data_ptr() - sides.learner.online.parameters.data_ptr()) // 4
        written = sides.learner.online.slopes[place : place + parameter.numel()].view_as(parameter)
        torch.testing.assert_close(written, parameter.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_step_is_adams(settings: TrainRainbowSettings) -> None:
    training = of_training(settings)
    sides = Sides(of_model(settings), training)
    adam = torch.optim.Adam(sides.online.parameters(), lr=training.learning_rate, eps=training.adam_epsilon)
    for seed in range(3):
        batch = drawn_batch(seed)
        sides.draw()
        adam.zero_grad()
        sides.loss(batch)[0].backward()
        adam.step()
        sides.learner.update(batch)
    for ours, theirs in zip(sides.network.parameters(), sides.online.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_gradient_is_clipped_to_its_greatest_norm(settings: TrainRainbowSettings) -> None:
    sides = Sides(of_model(settings), of_training(settings, max_grad_norm=1e-3))
    assert sides.learner.update(drawn_batch()).gradient_norm > 1e-3
    assert float(sides.learner.online.slopes.norm()) == pytest.approx(1e-3, rel=1e-4)


def test_target_follows_after_so_many_steps(settings: TrainRainbowSettings) -> None:
    learner = Sides(of_model(settings), of_training(settings, target_update_every=2)).learner
    learner.update(drawn_batch())
    assert not torch.equal(learner.state()["target"], learner.state()["online"])
    learner.update(drawn_batch())
    assert torch.equal(learner.state()["target"], learner.state()["online"])


def test_values_without_noise_are_those_of_the_means(settings: TrainRainbowSettings) -> None:
    sides = Sides(of_model(settings), of_training(settings))
    observations = drawn_batch().observations
    with torch.no_grad():
        expected = sides.network.q_values(torch.from_numpy(observations))
    np.testing.assert_allclose(sides.learner.values(observations, with_noise=False), expected, rtol=1e-5, atol=1e-6)
    noisy = sides.learner.values(observations, with_noise=True)
    assert not np.allclose(noisy, expected, atol=1e-4)
    assert not np.allclose(noisy, sides.learner.values(observations, with_noise=True), atol=1e-4)


def test_goes_on_from_a_state_as_if_it_had_not_stopped(settings: TrainRainbowSettings) -> None:
    undisturbed, resumed = (Sides(of_model(settings), of_training(settings)).learner for _ in range(2))
    undisturbed.update(drawn_batch(1))
    resumed.restore(undisturbed.state())
    for learner in (undisturbed, resumed):
        learner.update(drawn_batch(2))
    assert torch.equal(undisturbed.state()["online"], resumed.state()["online"])


def test_slope_that_is_not_finite_changes_nothing(settings: TrainRainbowSettings) -> None:
    learner = Sides(of_model(settings, is_categorical=False), of_training(settings)).learner
    before = learner.state()["online"]
    batch = drawn_batch()
    batch.observations[0, 0] = np.inf
    with pytest.raises(DivergenceError, match="gradient is NaN or infinite"):
        learner.update(batch)
    assert torch.equal(learner.state()["online"], before)
