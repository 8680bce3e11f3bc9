"""Two oracles: random networks drawn here and differentiated by torch's autograd; and the order parameters of given
inputs by published closed forms, or by sums over a lattice.

Nothing of the library is used, so a mistake in it can't be repeated here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FUNCTIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "erf": torch.erf,
    "linear": lambda u: u,
    "softplus": torch.nn.functional.softplus,
    "silu": torch.nn.functional.silu,
}
HELD = {"fim": ("weight", "bias"), "input_metric": ("feature",)}
"""Family → what its metric differentiates by; the NTK stands apart."""
CHUNK = 2e7  # derivatives held at a time


@dataclass(frozen=True)
class Networks:
    """``count`` random networks at N samples each, differentiated.

    ``gram[kind, l]`` is J Jᵀ of each network (count × CN × CN, output-major) over the weights of layer l = 1..L, its
    biases, or the features h^l, l = 0..L-1; ``sizes`` the number of derivatives behind each; ``logits`` is f
    (count × N × C).
    """

    depth: int
    widths: tuple[int, ...]
    weight_variance: tuple[float, ...]
    bias_variance: tuple[float, ...]
    gram: dict[tuple[str, int], Floats]
    sizes: dict[tuple[str, int], int]
    logits: Floats

    def dual(self, family: str, layer: int | None = None, loss: str = "mse", centered: bool = False) -> Floats:
        """The duals (count × CN × CN) of a metric, written out from its definition."""
        _, samples, outputs = self.logits.shape
        matrix = sum(self._term(family, l) for l in self._layers(family, layer))
        logits = self.logits
        if centered:
            project = np.kron(np.eye(outputs), np.eye(samples) - 1 / samples)
            matrix, logits = project @ matrix @ project, logits - logits.mean(1, keepdims=True)
        if loss not in ("mse", "cross_entropy"):
            raise ValueError(f"loss: expected mse or cross_entropy, got {loss!r}")
        if loss == "cross_entropy":
            root = softmax_root(logits)
            matrix = root.swapaxes(-1, -2) @ matrix @ root
        return matrix

    def dimension(self, family: str, layer: int | None = None) -> int:
        """P: how many parameters or features the metric lives on; for the NTK how many outputs × samples."""
        if family == "ntk":
            return math.prod(self.logits.shape[1:])
        return sum(self.sizes[kind, l] for kind in held(family) for l in self._layers(family, layer))

    def _term(self, family: str, l: int) -> Floats:
        if family != "ntk":
            return sum(self.gram[kind, l] for kind in held(family)) / self.logits.shape[1]
        weights, biases = self.gram["weight", l], self.gram["bias", l]
        # NTK parameterisation: W = σ_w ω / √M, b = σ_b β
        return self.weight_variance[l - 1] / self.widths[l - 1] * weights + self.bias_variance[l - 1] * biases

    def _layers(self, family: str, layer: int | None) -> Sequence[int]:
        of_features = family != "ntk" and held(family) == ("feature",)
        every = range(self.depth) if of_features else range(1, self.depth + 1)
        return every if layer is None else (layer,)


def held(family: str) -> tuple[str, ...]:
    """What a family's metric differentiates by."""
    if family not in HELD:
        raise ValueError(f"family: expected ntk, {', '.join(HELD)}, got {family!r}")
    return HELD[family]


def softmax_root(logits: Floats) -> Floats:
    """R: output-major (CN × CN), the block of sample n is diag(√g) - g √gᵀ."""
    count, samples, outputs = logits.shape
    g = np.exp(logits - logits.max(-1, keepdims=True))
    g /= g.sum(-1, keepdims=True)
    root = np.zeros((count, outputs, samples, outputs, samples))
    for n in range(samples):
        for k in range(outputs):
            root[:, k, n, k, n] += np.sqrt(g[:, n, k])
            for j in range(outputs):
                root[:, k, n, j, n] -= g[:, n, k] * np.sqrt(g[:, n, j])
    return root.reshape(count, outputs * samples, outputs * samples)


def draw_networks(
    seed: int,
    count: int,
    activation: str | Sequence[str],
    widths: Sequence[int],
    weight_variance: float | Sequence[float],
    bias_variance: float | Sequence[float],
    samples: int,
    inputs: Floats | None = None,
) -> Networks:
    """Draw weights, biases and inputs of ``count`` networks; ``widths`` are M_0..M_L. Or given ``inputs`` (N, M_0)."""
    depth = len(widths) - 1
    names = (activation,) * (depth - 1) if isinstance(activation, str) else tuple(activation)
    sw2 = tuple(np.broadcast_to(weight_variance, depth).tolist())
    sb2 = tuple(np.broadcast_to(bias_variance, depth).tolist())
    rng = np.random.default_rng(seed)

    def normal(deviation: float, *shape: int) -> torch.Tensor:
        return torch.from_numpy(deviation * rng.standard_normal((count, *shape)))

    parameters: dict[tuple[str, int], torch.Tensor] = {}
    for l in range(1, depth + 1):
        parameters["weight", l] = normal(math.sqrt(sw2[l - 1] / widths[l - 1]), widths[l], widths[l - 1])
        parameters["bias", l] = normal(math.sqrt(sb2[l - 1]), widths[l])
        # To differentiate by something added to h^l is to differentiate by h^l.
        parameters["feature", l - 1] = normal(0.0, widths[l - 1])
    x = normal(1.0, samples, widths[0]) if inputs is None else torch.from_numpy(inputs).expand(count, -1, -1)

    def network(values: dict[tuple[str, int], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        for l in range(1, depth + 1):
            u = torch.nn.functional.linear(x + values["feature", l - 1], values["weight", l], values["bias", l])
            x = u if l == depth else FUNCTIONS[names[l - 1]](u)
        return x

    def with_value(values: dict[tuple[str, int], torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (network(values, x),) * 2

    differentiate = torch.func.jacrev(with_value, has_aux=True)
    per_network = torch.func.vmap(torch.func.vmap(differentiate, in_dims=(None, 0)))
    derivatives = samples * widths[-1] * sum(p[0].numel() for p in parameters.values())
    parts = [
        _grams(*per_network({key: p[chunk] for key, p in parameters.items()}, x[chunk]))
        for chunk in _chunks(count, max(1, int(CHUNK / derivatives)))
    ]
    return Networks(
        depth=depth,
        widths=tuple(widths),
        weight_variance=sw2,
        bias_variance=sb2,
        gram={key: np.concatenate([gram[key] for gram, _ in parts]) for key in parameters},
        sizes={key: p[0].numel() for key, p in parameters.items()},
        logits=np.concatenate([logits for _, logits in parts]),
    )


def _grams(
    jacobian: dict[tuple[str, int], torch.Tensor], logits: torch.Tensor
) -> tuple[dict[tuple[str, int], Floats], Floats]:
    count, samples, outputs = logits.shape
    rows = {key: j.transpose(1, 2).reshape(count, outputs * samples, -1) for key, j in jacobian.items()}
    return {key: (j @ j.mT).numpy() for key, j in rows.items()}, logits.numpy()


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@pytest.fixture(scope="session")
def draw() -> Callable[..., Networks]:
    """:func:`draw_networks`."""
    return draw_networks


@dataclass(frozen=True)
class Recursion:
    """Order parameters of given inputs, matrices (N, N) each: ``forward`` q̂^0..q̂^{L-1}, ``made`` q^1..q^L and
    ``backward`` q̃^1..q̃^L."""

    weight_variance: tuple[float, ...]
    forward: list[Floats]
    made: list[Floats]
    backward: list[Floats]

    def kernel(self, family: str, layer: int | None, widths: Sequence[int]) -> Floats:
        """K of a metric, whose dual is ν I_C ⊗ K, at widths M_0..M_L."""
        terms = {
            "fim": [t * (m * h + 1) for t, m, h in zip(self.backward, widths[:-1], self.forward, strict=True)],
            "ntk": [t * q for t, q in zip(self.backward, self.made, strict=True)],
            "input_metric": [w * t for w, t in zip(self.weight_variance, self.backward, strict=True)],
        }[family]
        first = 0 if family == "input_metric" else 1
        return np.sum(terms, axis=0) if layer is None else terms[layer - first]


def recursion_of(
    x: Floats,
    activation: Sequence[str],
    weight_variance: float | Sequence[float],
    bias_variance: float | Sequence[float],
) -> Recursion:
    """Through a network of ``len(activation) + 1`` weight layers."""
    depth = len(activation) + 1
    sw2, sb2 = (np.broadcast_to(v, depth).tolist() for v in (weight_variance, bias_variance))
    forward, made, slopes = [x @ x.T / x.shape[1]], [], []
    for l in range(depth):
        made.append(sw2[l] * forward[-1] + sb2[l])
        if l + 1 < depth:
            feature, slope = PAIRS[activation[l]](np.diag(made[-1]), made[-1])
            forward.append(feature)
            slopes.append(slope)
    backward = [np.ones_like(forward[0])]
    for l in range(depth - 1, 0, -1):
        backward.insert(0, sw2[l] * backward[0] * slopes[l - 1])
    return Recursion(tuple(sw2), forward, made, backward)


def _cho_saul(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    unit = np.sqrt(np.outer(a, a))
    angle = np.arctan2(np.sqrt(np.maximum(unit**2 - b**2, 0.0)), b)
    np.fill_diagonal(angle, 0.0)
    return unit * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi), (np.pi - angle) / (2 * np.pi)


def _williams(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    square = np.outer(1 + 2 * a, 1 + 2 * a)
    return 2 / np.pi * np.arcsin(2 * b / np.sqrt(square)), 4 / np.pi / np.sqrt(square - 4 * b**2)


def _tanh(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The trapezoidal rule in two standard normal numbers, which converges exponentially."""
    z = np.linspace(-9, 9, 541)
    weights = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    feature, slope = np.empty_like(b), np.empty_like(b)
    for s, t in np.ndindex(b.shape):
        u = np.tanh(np.sqrt(a[s]) * z)
        along = b[s, t] / np.sqrt(a[s])
        across = np.sqrt(max(a[t] - along**2, 0.0)) if s != t else 0.0
        v = np.tanh(along * z[:, None] + across * z)
        feature[s, t] = weights * u @ v @ weights
        slope[s, t] = weights * (1 - u**2) @ (1 - v**2) @ weights
    return feature, slope


PAIRS = {"relu": _cho_saul, "erf": _williams, "tanh": _tanh, "linear": lambda _, b: (b, np.ones_like(b))}


@pytest.fixture(scope="session")
def recursion() -> Callable[..., Recursion]:
    """:func:`recursion_of`."""
    return recursion_of
