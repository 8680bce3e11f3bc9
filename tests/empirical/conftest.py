"""An independent oracle: the dense Jacobian of one network by torch's autograd, and each metric by its definition."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.random import SeedSequence

from empirical.backends import make_backend
from empirical.dual.gram import Drawn
from empirical.networks.layers.linear import DrawnLinear
from empirical.networks.passes import draw_network as draw_layers
from empirical.networks.passes import forward
from empirical.networks.streams import Source, draw_inputs
from meanfield.spec import LOSSES, METRICS, Activate, Linear, Network

PHI = {"tanh": torch.tanh, "relu": torch.relu, "erf": torch.erf, "linear": lambda u: u}


@dataclass(frozen=True)
class Definition:
    """A family of metrics: what outputs are differentiated by, in which parameterisation, whether Σ_n is a mean, and
    whether it lives on outputs × samples."""

    by: tuple[str, ...]
    ntk_parameterisation: bool = False
    averaged: bool = True
    own_dual: bool = False


DEFINITIONS = {
    "fim": Definition(("weight", "bias")),
    "ntk": Definition(("weight", "bias"), ntk_parameterisation=True, averaged=False, own_dual=True),
    "input_metric": Definition(("feature",)),
}


def squared(logits):
    """Q_n, (N, C, C)."""
    return np.tile(np.eye(logits.shape[1]), (len(logits), 1, 1))


def softmax(logits):
    g = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return g[:, :, None] * np.eye(logits.shape[1]) - g[:, :, None] * g[:, None, :]


HESSIANS = {"mse": squared, "cross_entropy": softmax}


@dataclass
class Dense:
    """One network in torch, with nothing of `empirical` but its drawn arrays: any sequence of Linear and Activate."""

    network: Network
    weights: list
    biases: list
    inputs: torch.Tensor

    @classmethod
    def draw(cls, network, width, samples, seed):
        source = Source(SeedSequence(seed), make_backend("numpy", "float64"))
        layers = [layer for layer in draw_layers(network, width, source) if isinstance(layer, DrawnLinear)]
        x = draw_inputs(samples, network.widths(width)[0], source)
        return cls(
            network, [torch.tensor(y.weight) for y in layers], [torch.tensor(y.bias) for y in layers], torch.tensor(x)
        )

    def scales(self, metric):
        """W = scale · ω, b = scale · β: 1 but for the NTK parameterisation."""
        if not DEFINITIONS[metric.family].ntk_parameterisation:
            return [(1.0, 1.0)] * self.network.depth
        variances = zip(self.network.weight_variance, self.network.bias_variance, self.weights, strict=True)
        return [((sw / w.shape[1]) ** 0.5, sb**0.5) for sw, sb, w in variances]

    def function(self, parameters, bumps, x, scales):
        """f at one input, with a bump added to whatever enters a weight layer: h^0, ..., h^{L-1}."""
        left = iter(zip(parameters, scales, bumps, strict=True))
        for layer in self.network.layers:
            if isinstance(layer, Activate):
                x = PHI[layer.activation.name](x)
            else:
                (w, b), (sw, sb), bump = next(left)
                x = (sw * w) @ (x + bump) + sb * b
        return x

    def entering(self):
        """h^0, ..., h^{L-1} and u^1, ..., u^L as NumPy arrays (N, M_l)."""
        h, hs, us = self.inputs, [], []
        for layer in self.network.layers:
            if isinstance(layer, Activate):
                h = PHI[layer.activation.name](h)
            else:
                hs.append(h.numpy())
                h = h @ self.weights[len(us)].T + self.biases[len(us)]
                us.append(h.numpy())
        return hs, us

    def jacobian(self, metric):
        """∂f_k(n)/∂(what the metric is about): (N, C, P)."""
        by = DEFINITIONS[metric.family].by
        blocks = self.derivatives(self.scales(metric))
        chosen = metric.layers(self.network.depth) if metric.layer is None else [metric.layer]
        return torch.cat([blocks[kind, l] for l in chosen for kind in by], dim=2).numpy()

    def derivatives(self, scales):
        """∂f_k(n) by the weights and biases of layer l = 1..L, and by the features h^l, l = 0..L-1: (N, C, ·)."""
        parameters = [
            (w / sw, b / sb if sb else b) for w, b, (sw, sb) in zip(self.weights, self.biases, scales, strict=True)
        ]
        bumps = [torch.zeros(w.shape[1], dtype=torch.float64) for w in self.weights]
        of_one = torch.func.jacrev(lambda p, e, x: self.function(p, e, x, scales), argnums=(0, 1))
        parts, features = torch.func.vmap(of_one, in_dims=(None, None, 0))(parameters, bumps, self.inputs)
        blocks = {("feature", l): h for l, h in enumerate(features)}
        for l, (w, b) in enumerate(parts, start=1):
            blocks |= {("weight", l): w.flatten(2), ("bias", l): b}
        return blocks

    def logits(self):
        scales = [(1.0, 1.0)] * self.network.depth
        zeros = [torch.zeros(w.shape[1], dtype=torch.float64) for w in self.weights]
        parameters = list(zip(self.weights, self.biases, strict=True))
        return torch.stack([self.function(parameters, zeros, x, scales) for x in self.inputs]).numpy()

    def tensor(self, metric):
        """The metric by its definition, ν Σ_n J_nᵀ Q_n J_n (P × P; for the NTK its P × P partner), and the divisor."""
        jacobian, logits = self.jacobian(metric), self.logits()
        if metric.centered:
            jacobian = jacobian - jacobian.mean(axis=0)
            logits = logits - logits.mean(axis=0)
        samples, outputs, parameters = jacobian.shape
        total = np.einsum("nkp,nkj,njq->pq", jacobian, HESSIANS[metric.loss](logits), jacobian, optimize=True)
        definition = DEFINITIONS[metric.family]
        divisor = samples if definition.averaged else 1
        return total / divisor, outputs * samples if definition.own_dual else parameters


NETWORKS = {
    "one layer": Network(1, (), 1.7, 0.3, outputs=3),
    "two layers": Network(2, "erf", (1.3, 0.8), (0.2, 0.5), outputs=2),
    "no biases": Network(3, "tanh", 3.0, 0.0, outputs=3),
    "all different": Network(
        4, ("tanh", "relu", "erf"), (1.1, 2.3, 0.7, 1.9), (0.1, 0.4, 0.2, 0.6), 4, (0.5, 1.5, 1.0, 0.75)
    ),
    "linear layers in a row": Network.of(
        [Linear(1.3, 0.2, 1.5), Linear(0.9, 0.1, 0.5), Activate("tanh"), Linear(2.0, 0.3), Linear(1.1, 0.4)], 3, 0.75
    ),
    "activation first": Network.of([Activate("erf"), Linear(1.3, 0.2, 1.5), Activate("relu"), Linear(0.9, 0.1)], 2),
    "activations in a row": Network.of([Linear(1.3, 0.2), Activate("tanh"), Activate("erf"), Linear(1.2, 0.1)], 2),
}


def every_metric(network):
    """Each family × layer × loss × centred."""
    return [
        kind(layer, loss, centered)
        for kind in METRICS.values()
        for layer in (None, *kind().layers(network.depth))
        for loss in LOSSES
        for centered in (False, True)
    ]


@pytest.fixture(params=NETWORKS, scope="session")
def case(request):
    """(network, width, samples, seed, dense network, all its metrics)."""
    network = NETWORKS[request.param]
    width, samples, seed = 8, 6, 11
    return network, width, samples, seed, Dense.draw(network, width, samples, seed), every_metric(network)


def draw(network, width, samples, seed, backend=None):
    """The same network as `Dense.draw`, passed through by `empirical`."""
    source = Source(SeedSequence(seed), backend or make_backend("numpy", "float64"))
    layers = draw_layers(network, width, source)
    passed = forward(layers, draw_inputs(samples, network.widths(width)[0], source), source.backend)
    return Drawn(passed, source.backend)


@pytest.fixture(scope="session")
def drawn(case):
    """The case's network, drawn and passed through."""
    network, width, samples, seed, _, _ = case
    return draw(network, width, samples, seed)


@pytest.fixture(scope="session")
def draw_network():
    """The function that draws a network: (network, width, samples, seed, backend=None) → Drawn."""
    return draw


@pytest.fixture(scope="session")
def dense():
    """The oracle's class: `Dense`."""
    return Dense


@pytest.fixture(scope="session")
def definitions():
    """The oracle's tables of families and losses."""
    return DEFINITIONS, HESSIANS
