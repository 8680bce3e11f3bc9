"""Kernels of torch modules against plain autograd, one output of one sample at a time."""

import numpy as np
import pytest
import torch
from torch import nn

from empirical import empirical_diagonal, empirical_kernel
from empirical.kernels.layouts import LAYOUTS
from empirical.modules.contributions import pairwise_is_cheaper
from meanfield.spec import FIM, NTK, InputMetric


class Tied(nn.Module):
    """One weight twice, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.a, self.gain, self.c = nn.Linear(4, 4), nn.Parameter(torch.randn(4)), nn.Linear(4, 2, bias=False)

    def forward(self, x):
        return self.c(self.gain * torch.tanh(self.a(torch.tanh(self.a(x)))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Frames(nn.Module):
    """Linear layers over frames: several positions of one sample."""

    def __init__(self, given=3, width=6, outputs=3):
        super().__init__()
        self.a, self.head = nn.Linear(given, width), nn.Linear(width, outputs)

    def forward(self, x):
        return self.head(torch.tanh(self.a(x)).mean(1))


MODELS = {
    "plain": (lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3)), (5,)),
    "normalised": (lambda: nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.GELU(), nn.Linear(7, 2)), (5,)),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(75, 2)),
        (2, 5, 5),
    ),
    "frames": (Frames, (2, 3)),
    "tied": (Tied, (4,)),
    "recurrent": (Recurrent, (3, 3)),
    "one output": (lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)), (5,)),
}
N, M = 7, 4


def jacobian(model, x, names):
    named = dict(model.named_parameters())
    rows = []
    for sample in x.split(1):
        for f in model(sample).reshape(-1):
            made = torch.autograd.grad(f, [named[n] for n in names], retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([g.flatten() for g in made]).numpy())
    return np.array(rows).reshape(len(x), -1, len(rows[0]))


@pytest.fixture(params=MODELS, scope="module")
def subject(request):
    """(model in float64, X, X2, the Jacobians of both)."""
    torch.manual_seed(4)
    make, shape = MODELS[request.param]
    model = make().double().eval()
    x, x2 = (torch.randn(n, *shape, dtype=torch.float64) for n in (N, M))
    names = [n for n, _ in model.named_parameters()]
    return model, x, x2, jacobian(model, x, names), jacobian(model, x2, names)


def close(found, expected, tolerance=1e-10):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize("outputs", LAYOUTS)
def test_in_blocks_and_with_other_samples(subject, definition, outputs):
    model, x, x2, left, right = subject
    state = {n: p.clone() for n, p in model.state_dict().items()}
    for block in (3, 16):
        square = empirical_kernel(model, x, outputs=outputs, block=block)
        close(square.values, definition(outputs, left))
        np.testing.assert_array_equal(square.values, LAYOUTS[outputs].mirrored(square.values))
    close(empirical_kernel(model, x, x2, outputs=outputs, block=3).values, definition(outputs, left, right))
    assert all(torch.equal(p, state[n]) for n, p in model.state_dict().items())


def test_the_diagonal_alone(subject, definition):
    model, x, _, left, _ = subject
    each = np.einsum("knkn->kn", definition("full", left)) / N
    close(empirical_diagonal(model, x, FIM(), outputs="each", block=3).values, each)
    found = empirical_diagonal(model, x, FIM())
    close(found.values, each.sum(axis=0))
    assert found.trace == pytest.approx(each.sum(), rel=1e-12)


def test_float32_of_a_float32_model(subject, definition):
    model, x, _, left, _ = subject
    found = empirical_kernel(model.float(), x.float(), dtype="float32", block=3)
    model.double()
    assert found.values.dtype == np.float32
    close(found.values, definition("sum", left), 1e-5)


def test_layers_trainable_parameters_and_the_input_metric(definition):
    torch.manual_seed(1)
    model = MODELS["plain"][0]().double().eval()
    x, x2 = torch.randn(N, 5, dtype=torch.float64), torch.randn(M, 5, dtype=torch.float64)
    second = ["2.weight", "2.bias"]
    expected = definition("each", jacobian(model, x, second), jacobian(model, x2, second), 1 / N)
    close(empirical_kernel(model, x, x2, FIM(2), outputs="each", block=2).values, expected)
    model[0].requires_grad_(False)
    trained = [n for n, _ in model.named_parameters() if not n.startswith("0.")]
    expected = definition("sum", jacobian(model, x, trained))
    close(empirical_kernel(model, x, parameters="trainable", block=2).values, expected)
    features = []
    for sample in (x, x2):
        h = torch.tanh(model[0](sample)).detach().requires_grad_()
        rows = [torch.autograd.grad(model[2:](h)[:, k].sum(), h)[0].numpy() for k in range(3)]
        features.append(np.stack(rows, axis=1))
    close(
        empirical_kernel(model, x, x2, InputMetric(1), outputs="full", block=3).values,
        definition("full", *features, 1 / N),
    )


def test_all_blocks_hold_their_layers_in_one_form(definition):
    """Of this layer gradients are cheaper for 10 samples together, pairs of positions for the one that is left."""
    assert not pairwise_is_cheaper(outputs=2, samples=10, positions=4, width=10, units=50)
    assert pairwise_is_cheaper(outputs=2, samples=1, positions=4, width=10, units=50)
    torch.manual_seed(2)
    model = Frames(9, 50, 2).double().eval()
    x = torch.randn(11, 4, 9, dtype=torch.float64)
    expected = definition("sum", jacobian(model, x, [n for n, _ in model.named_parameters()]))
    close(empirical_kernel(model, x, block=10).values, expected)


def test_kernel_regression_predicts_as_the_linearised_model():
    """K(X*, X) K(X, X)⁻¹ y against the least-norm parameters that fit y."""
    torch.manual_seed(4)
    model = MODELS["one output"][0]().double().eval()
    x, x2 = (torch.randn(n, 5, dtype=torch.float64) for n in (N, M))
    left, right = (jacobian(model, y, [n for n, _ in model.named_parameters()])[:, 0] for y in (x, x2))
    y = np.sin(np.arange(N))
    found = empirical_kernel(model, x2, x).values @ np.linalg.solve(empirical_kernel(model, x).values, y)
    np.testing.assert_allclose(found, right @ np.linalg.lstsq(left, y, rcond=None)[0], rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"X2": torch.zeros(2, 4, dtype=torch.float64)}, "X2: expected samples like those of X"),
        ({"metric": FIM(5)}, "layer: expected 1..3 for fim here, got 5"),
        ({"metric": NTK(centered=True)}, "metric: expected one of plain outputs"),
        ({"metric": FIM(loss="cross_entropy")}, "metric: expected one of plain outputs"),
        ({"dtype": "float16"}, "dtype: expected one of float64, float32"),
        ({"parameters": "some"}, "parameters: expected one of all, trainable"),
        ({"memory": 1000}, r"memory: expected a kernel that fits into .*7 × 7 in blocks of 1 samples"),
        ({"outputs": "mean"}, "outputs: expected one of sum, each, full, got 'mean'"),
        ({"block": 0}, "block: expected an integer of at least 1"),
    ],
)
def test_what_is_not_as_expected_is_refused(arguments, reason):
    model = MODELS["plain"][0]().double().eval()
    with pytest.raises(ValueError, match=reason):
        empirical_kernel(model, torch.zeros(N, 5, dtype=torch.float64), **arguments)


def test_options_of_the_other_kind_and_no_model_at_all():
    from meanfield.spec import Network

    model, x, net = MODELS["plain"][0]().double().eval(), torch.zeros(2, 5), Network(2, "tanh", 1.0)
    host = np.zeros((2, 5))
    with pytest.raises(TypeError, match="width: expected one of dtype, parameters for a torch module"):
        empirical_kernel(model, x, width=5)
    with pytest.raises(TypeError, match="parameters: expected one of width, seed, backend, dtype, rng for a Network"):
        empirical_kernel(net, host, width=5, parameters="all")
    with pytest.raises(ValueError, match="width: expected a number for a Network, got none"):
        empirical_kernel(net, host)
    with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, got str"):
        empirical_kernel("resnet", x)
    with pytest.raises(ValueError, match="outputs: expected one of sum, each, got 'full'"):
        empirical_diagonal(net, host, outputs="full", width=5)
    with pytest.raises(ValueError, match="memory: expected a diagonal that fits into"):
        empirical_diagonal(net, host, width=5, memory=100)
    with pytest.raises(ValueError, match="training mode"):
        empirical_kernel(model.train(), x)
