"""Any torch module: against `measure` where both apply, and against the dense Jacobian of all parameters."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune  # noqa: F401 - as nn.utils.prune

from empirical import measure, measure_module
from empirical.dual.families import FAMILIES, Family
from empirical.dual.plan import TooLarge
from empirical.modules.contributions import Rows, pairwise_is_cheaper
from empirical.networks.layers.base import PREACTIVATION
from meanfield.spec import FIM, NTK, Activate, InputMetric

torch.manual_seed(0)


class Residual(nn.Module):
    """Linear layers around a skip, a LayerNorm, a parameter of its own, and an activation in place."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 3, bias=False)
        self.inner = nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True), nn.Linear(6, 6))
        self.gain = nn.Parameter(torch.tensor(1.3))

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last(self.norm(h + self.inner(h))) * self.gain


class Tied(nn.Module):
    """One weight used by two layers, one layer called twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.head = (nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
        self.b.weight = self.a.weight

    def forward(self, x):
        h = torch.tanh(self.b(torch.tanh(self.a(x))))
        return self.head(torch.tanh(self.c(torch.tanh(self.c(h)))))


class Positions(nn.Module):
    """Linear layers on a sequence, then the mean over it."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 3))

    def forward(self, x):
        return torch.tanh(self.layers(x)).mean(dim=1)


def pruned():
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    nn.utils.prune.random_unstructured(model[0], "weight", 0.4)
    return model


def normed(norm, **options):
    def make():
        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            norm(model[0], **options)
        return model

    return make


class Autoencoder(nn.Module):
    """The decoder uses the encoder's weight."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(5, 3)

    def forward(self, x):
        return nn.functional.linear(torch.tanh(self.encoder(x)), self.encoder.weight.T)


class Divided(nn.Module):
    """Divided by the norm of one of its weights."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.b(torch.tanh(self.a(input=x))) / self.b.weight.norm()


def hooked():
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    model[0].register_forward_hook(lambda module, given, made: made * 2)
    model[2].register_forward_pre_hook(lambda module, given: (given[0] ** 2,))
    return model


def convolution():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.Tanh(), nn.BatchNorm2d(4),
        nn.Conv2d(4, 3, 2, dilation=2, bias=False), nn.SiLU(),
        nn.Conv2d(3, 3, 1, groups=3), nn.Flatten(), nn.Linear(3 * 4, 3),
    )  # fmt: skip


MODELS = {
    "residual": (Residual, (5,)),
    "tied": (Tied, (4,)),
    "sequence": (lambda: Positions(4), (2, 3)),
    "convolution": (convolution, (2, 7, 7)),
    "pruned": (pruned, (5,)),
    "weight norm": (normed(nn.utils.weight_norm), (5,)),
    "spectral norm": (normed(nn.utils.spectral_norm), (5,)),
    "parametrized": (normed(nn.utils.parametrizations.weight_norm), (5,)),
    "autoencoder": (Autoencoder, (5,)),
    "divided": (Divided, (5,)),
    "hooked": (hooked, (5,)),
}
SAMPLES = 5


@pytest.fixture(params=MODELS)
def subject(request):
    make, shape = MODELS[request.param]
    generator = torch.Generator().manual_seed(3)
    return make().double().eval(), torch.randn(SAMPLES, *shape, generator=generator, dtype=torch.float64)


def dense_jacobian(model, x):
    """(N, C, P) with respect to every parameter, by plain autograd."""
    parameters = list(model.parameters())
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(f, parameters, retain_graph=True, materialize_grads=True)])
        for sample in x
        for f in model(sample[None])[0]
    ]
    return torch.stack(rows).reshape(len(x), -1, len(rows[0])).numpy()


def test_parameter_metrics_are_those_of_the_dense_jacobian(subject):
    model, x = subject
    jacobian, logits = dense_jacobian(model, x), model(x).detach().numpy()
    samples, outputs, parameters = jacobian.shape
    for loss in ("mse", "cross_entropy"):
        for centered in (False, True):
            j, f = (jacobian - jacobian.mean(0), logits - logits.mean(0)) if centered else (jacobian, logits)
            g = np.exp(f) / np.exp(f).sum(1, keepdims=True)
            q = g[:, :, None] * np.eye(outputs) - g[:, :, None] * g[:, None, :]
            weighting = q if loss == "cross_entropy" else np.tile(np.eye(outputs), (samples, 1, 1))
            tensor = np.einsum("nkp,nkj,njq->pq", j, weighting, j, optimize=True)
            expected = np.linalg.eigvalsh(tensor)[::-1]
            both = measure_module(model, x, [m(None, loss, centered) for m in (FIM, NTK)], spectrum="full")
            for found, scale, divisor in zip(both, (1 / samples, 1), (parameters, outputs * samples), strict=True):
                assert found.dimension == divisor
                np.testing.assert_allclose(found.mean, scale * np.trace(tensor) / divisor, rtol=1e-10)
                np.testing.assert_allclose(found.second_moment, scale**2 * np.sum(tensor**2) / divisor, rtol=1e-10)
                values = found.eigenvalues
                close = {"rtol": 0, "atol": max(1e-10 * scale * expected[0], found.floor)}
                np.testing.assert_allclose(values, scale * expected[: len(values)], **close)


def test_blocks_sum_to_the_whole(subject):
    model, x = subject
    whole = measure_module(model, x, FIM())
    depth = len(whole.order_parameters.q)
    blocks = measure_module(model, x, [FIM(l) for l in range(1, depth + 1)])
    np.testing.assert_allclose(sum(b.mean * b.dimension for b in blocks), whole.mean * whole.dimension, rtol=1e-12)
    assert sum(b.dimension for b in blocks) == whole.dimension


def test_a_plain_network_is_that_of_measure(case):
    network, width, samples, seed, dense, _ = case
    layers, arrays = [], zip(dense.weights, dense.biases, strict=True)
    for layer in network.layers:
        if isinstance(layer, Activate):
            layers.append(Phi(layer.activation.name))
        else:
            w, b = next(arrays)
            layers.append(nn.Linear(w.shape[1], w.shape[0], dtype=torch.float64))
            layers[-1].weight.data, layers[-1].bias.data = w.clone(), b.clone()
    model = nn.Sequential(*layers).eval()
    metrics = [
        FIM(),
        FIM(1, "cross_entropy"),
        InputMetric(),
        InputMetric(0, "mse", True),
        FIM(None, "cross_entropy", True),
    ]
    expected = measure(network, metrics, width=width, samples=samples, seed=seed, spectrum="extremes")
    for a, b in zip(expected, measure_module(model, dense.inputs, metrics, spectrum="extremes"), strict=True):
        assert (a.metric, a.dimension) == (b.metric, b.dimension)
        close = {"rtol": 1e-10, "atol": a.floor}
        np.testing.assert_allclose([b.mean, b.second_moment, b.largest], [a.mean, a.second_moment, a.largest], **close)
        np.testing.assert_allclose(b.outliers, a.outliers, **close)
        for name, values in a.order_parameters.to_dict().items():
            np.testing.assert_allclose(getattr(b.order_parameters, name), values, rtol=1e-10, atol=1e-12)


class Phi(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.function = {"tanh": torch.tanh, "relu": torch.relu, "erf": torch.erf}[name]

    def forward(self, u):
        return self.function(u)


def test_both_ways_over_positions_are_tried():
    assert pairwise_is_cheaper(outputs=3, samples=SAMPLES, positions=2, width=3, units=4)  # the sequence's
    assert not pairwise_is_cheaper(outputs=3, samples=SAMPLES, positions=16, width=18, units=4)  # the convolution's


def test_integer_inputs_are_fine_where_the_model_takes_them():
    model, x = Embedded().double().eval(), torch.tensor([[0, 1], [2, 2], [4, 3]])
    jacobian = dense_jacobian(model, x)
    found = measure_module(model, x, FIM())
    np.testing.assert_allclose(found.mean, np.sum(jacobian**2) / 3 / jacobian.shape[2], rtol=1e-12)


def test_a_computed_weight_is_left_as_it_was():
    """`prune` computes the weight in a hook and leaves it on the module."""
    model, x = pruned().eval(), torch.randn(4, 5)
    before = model[0].weight
    measure_module(model, x, FIM())
    assert model[0].weight is before


def test_float32_is_computed_in_float32_whatever_is_set():
    """Nothing of the passes is outside the settings that forbid TF32 and autocast."""
    model, x = convolution().eval(), torch.randn(4, 2, 7, 7)
    expected = measure_module(model, x, FIM(), dtype="float32")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert measure_module(model, x, FIM(), dtype="float32").mean == expected.mean
    seen = []
    model[0].register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    measure_module(model, x, FIM(), dtype="float32")
    assert seen
    assert not any(seen)


def test_a_layer_that_gives_a_wrong_product_is_told(monkeypatch):
    monkeypatch.setattr("empirical.modules.ways.Rows", lambda rows, backend: Rows(rows * 1.01, backend))
    model, x = Tied().eval(), torch.randn(4, 4)
    with pytest.raises(ArithmeticError, match=r"layer 1, 'a' \(Linear\): expected .* \|Jᵀv\|² of layer 1"):
        measure_module(model, x, FIM())
    with pytest.raises(ArithmeticError, match=r"\|Jᵀv\|² of the input of layer 1"):
        measure_module(model, x, InputMetric(0))


def test_a_wrong_product_of_right_factors_is_told(monkeypatch):
    monkeypatch.setattr(Rows, "product", lambda self, other: 1.01 * torch.einsum("knp,jmp->knjm", *[self.values] * 2))
    with pytest.raises(ArithmeticError, match=r"\|Jᵀv\|² of layer 1"):
        measure_module(Tied().eval(), torch.randn(4, 4), FIM())


def test_memory_is_planned_before_the_passes():
    calls = []
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 26 * 26, 2)).eval()
    model[0].register_forward_pre_hook(lambda module, given: calls.append(len(given[0])))
    with pytest.raises(TooLarge, match=r"memory: expected .* for 400 outputs"):
        measure_module(model, torch.randn(200, 1, 28, 28), FIM(), memory=20_000_000)
    assert calls == [1]


def test_the_model_is_left_as_it_was():
    model, x = Residual().eval(), torch.randn(4, 5)
    before = {n: p.clone() for n, p in model.state_dict().items()}
    found = measure_module(model, x.numpy(), FIM())
    assert found.provenance["dtype"] == "float64"
    assert all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    assert all(p.grad is None and p.dtype == torch.float32 for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class Mixing(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x - x.mean(0))


class CentringTheMiddle(Mixing):
    def forward(self, x):
        x = x.clone()
        x[1:-1] -= x[1:-1].mean(0)
        return self.layer(x)


class MixingWithoutGradient(Mixing):
    def forward(self, x):
        return self.layer(x) * x.detach().square().mean()


class Dropping(Mixing):
    def forward(self, x):
        return self.layer(nn.functional.dropout(x, 0.5))


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.layer = nn.Embedding(5, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(self.words(x).mean(1))


class Overwriting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 5)

    def forward(self, x):
        h = x.clone()
        u = self.layer(h)
        with torch.no_grad():
            h += 1
        return u


def with_nan():
    model = nn.Linear(5, 3)
    model.weight.data[0, 0] = torch.nan
    return model


@pytest.mark.parametrize(
    ("model", "change", "error", "words"),
    [
        ("net", {}, TypeError, "model: expected a torch.nn.Module, got str"),
        (nn.Linear(5, 3).train(), {}, ValueError, "model: expected eval mode"),
        (with_nan().eval(), {}, ValueError, "model: expected finite parameters, got NaN or infinity in weight"),
        (nn.Flatten().eval(), {}, ValueError, "model: expected parameters, got none"),
        (Mixing().eval(), {}, ValueError, "model: expected outputs of one sample each"),
        (CentringTheMiddle().eval(), {}, ValueError, "model: expected outputs of one sample each"),
        (MixingWithoutGradient().eval(), {}, ValueError, "model: expected outputs of one sample each"),
        (Dropping().eval(), {}, ValueError, "model: expected a deterministic model"),
        (
            nn.Linear(5, 3).eval(),
            {"inputs": np.ones((4, 5), int)},
            ValueError,
            "inputs: expected samples that the model",
        ),
        (
            nn.Linear(5, 3).eval(),
            {"inputs": np.ones((4, 6))},
            ValueError,
            r"inputs: expected samples .* got shape \(1, 6",
        ),
        (nn.Linear(5, 3).eval(), {"inputs": np.ones((4, 5)) + 1j}, ValueError, "inputs: expected real numbers"),
        (
            Embedded().eval(),
            {"inputs": torch.ones((4, 2), dtype=torch.int64), "metric": InputMetric()},
            ValueError,
            r"layer: expected layers with real inputs for input_metric, .* got 1, 'words' \(Embedding\)",
        ),
        (Overwriting().eval(), {}, ValueError, "model: expected a model that keeps"),
        (nn.Unflatten(1, (5, 1)), {}, ValueError, "model: expected"),
        (nn.Linear(5, 3).eval(), {"inputs": torch.zeros(0, 5)}, ValueError, "inputs: expected shape"),
        (nn.Linear(5, 3).eval(), {"inputs": torch.full((2, 5), torch.nan)}, ValueError, "inputs: expected finite"),
        (nn.Linear(5, 3).eval(), {"inputs": "x"}, TypeError, "inputs: expected a tensor"),
        (nn.Linear(5, 3).eval(), {"metric": FIM(2)}, ValueError, r"layer: expected 1\.\.1"),
        (nn.Linear(5, 1).eval(), {"metric": FIM(loss="cross_entropy")}, ValueError, "outputs: expected at least 2"),
        (nn.Linear(5, 3).eval(), {"dtype": "half"}, ValueError, "dtype: expected"),
        (nn.Linear(5, 3).eval(), {"spectrum": "all"}, ValueError, "spectrum: expected"),
        (nn.Linear(5, 3).eval(), {"memory": 100}, ValueError, "memory: expected"),
        (nn.Linear(5, 3).eval(), {"memory": 0}, ValueError, "memory: expected an integer of at least 1"),
        (nn.Linear(5, 3).eval(), {"metric": 3}, TypeError, "metric: expected"),
    ],
)
def test_bad_input_gets_one_line(model, change, error, words):
    asked = {"inputs": torch.ones(4, 5) + torch.arange(4.0)[:, None], "metric": FIM()} | change
    with pytest.raises(error, match=words) as caught:
        measure_module(model, asked.pop("inputs"), asked.pop("metric"), **asked)
    assert "\n" not in str(caught.value)


def test_a_metric_of_some_parameters_alone_is_refused(monkeypatch):
    class WeightsAlone(FIM):
        family = "weights_alone"

    row = Family(PREACTIVATION, lambda layer, entering: (1.0, 0.0), averaged=True, own_dual=False)
    monkeypatch.setitem(FAMILIES, "weights_alone", row)
    with pytest.raises(ValueError, match=r"^metric: expected one over all parameters .*, got weights_alone"):
        measure_module(nn.Linear(3, 2).eval(), torch.ones(4, 3), WeightsAlone())
