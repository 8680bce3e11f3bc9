"""What can't be measured is told in one true sentence; what only looks so is measured."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from empirical import measure_module
from meanfield.spec import FIM, InputMetric


class Model(nn.Module):
    """A layer and a function of it and the samples."""

    def __init__(self, forward, layer=None):
        super().__init__()
        self.function, self.layer = forward, layer or nn.Linear(5, 3)

    def forward(self, x):
        return self.function(self, x)


class RMSNorm32(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(5))

    def forward(self, h):
        h32 = h.float()
        return (h32 * h32.square().mean(-1, keepdim=True).add(1e-6).rsqrt()).to(h.dtype) @ torch.diag(self.gain)


class Elsewhere(nn.Module):
    """Uses its weight through a list."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3).double()
        self.held = [self.layer.weight]

    def forward(self, x):
        return x @ self.held[0].T


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(torch.jit.trace(nn.Linear(5, 4), torch.ones(1, 5)), nn.Linear(4, 3))


def compiled():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.compile(nn.Linear(5, 3))


def low_products(self, x):
    return (self.layer(x).float() @ torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).float()).to(x.dtype)


def with_autocast(self, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.layer(x)


X = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
COMPLEX = nn.Linear(5, 3)
COMPLEX.scale = nn.Parameter(torch.ones(2, dtype=torch.complex64))

REFUSED = {
    "float32 logits": (
        Model(lambda self, x: self.layer(x).float()),
        X,
        "computes in float64, got float32 inside Model; dtype='float32'",
    ),
    "float32 products": (Model(low_products), X, "computes in float64, got float32 inside Model; dtype='float32'"),
    "complex64": (
        Model(lambda self, x: torch.fft.fft(self.layer(x).to(torch.complex64)).abs().to(x.dtype)),
        X,
        "got complex64 inside Model; dtype='float32'",
    ),
    "float32 norm in the middle": (
        nn.Sequential(nn.Linear(5, 5), Model(lambda self, h: self.layer.float()(h.float()).double()), nn.Linear(3, 2)),
        X,
        r"got float32 inside '1' \(Model\)",
    ),
    "images as numbers": (
        Model(lambda self, x: self.layer(x.float() / 255)),
        X.abs().mul(50).byte(),
        "got float32 inside Model",
    ),
    "norm in float32": (nn.Sequential(RMSNorm32(), nn.Linear(5, 3)), X, r"got float32 inside '0' \(RMSNorm32\)"),
    "no gradient": (Model(lambda self, x: self.layer(x).detach()), X, "model: expected outputs with a gradient"),
    "no_grad": (Model(torch.no_grad()(lambda self, x: self.layer(x))), X, "model: expected outputs with a gradient"),
    "argmax": (
        Model(lambda self, x: self.layer(x).argmax(1)),
        X,
        "model: expected real outputs, which have a gradient, got int64",
    ),
    "argmax, kept": (
        Model(lambda self, x: self.layer(x).argmax(1, keepdim=True)),
        X,
        "real outputs, which have a gradient, got int64",
    ),
    "complex outputs": (
        Model(lambda self, x: torch.fft.fft(self.layer(x))),
        X,
        "model: expected real outputs, .*complex128",
    ),
    "scripted part": (scripted(), X, "got a ScriptModule at '0'|got a TopLevelTracedModule at '0'"),
    "data parallel": (nn.DataParallel(nn.Linear(5, 3)), X, "got it wrapped in DataParallel; measure its .module"),
    "mixing, with float32 inside": (
        Model(lambda self, x: self.layer(x - x.mean(0)) + 0 * x.float().sum(1, keepdim=True)),
        X,
        "outputs of one sample each, got ones that mix samples",
    ),
    "a shape that doesn't fit, with float32 inside": (
        Model(lambda self, x: self.layer(x.float().double()[:, :4])),
        X,
        r"inputs: expected samples that the model takes in any number, got shape \(1, 5\)",
    ),
    "a number of samples of its own": (
        Model(lambda self, x: self.layer(x.view(4, 5))),
        X,
        r"that the model takes in any number, got shape \(1, 5\)",
    ),
    "an attribute that it hasn't": (Model(lambda self, x: self.head(x)), X, "got shape .* has no attribute 'head'"),
    "lazy": (nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 3)), X, "got lazy ones.*in 0.weight"),
    "meta model": (
        nn.Linear(5, 3, device="meta"),
        X,
        "model: expected ordinary tensors, got one on the meta device.*in weight",
    ),
    "meta inputs": (nn.Linear(5, 3), X.to("meta"), "inputs: expected an ordinary tensor, got one on the meta device"),
    "sparse inputs": (
        nn.Linear(5, 3),
        X.to_sparse(),
        "inputs: expected an ordinary tensor, got a sparse one, which to_dense",
    ),
    "complex parameters": (COMPLEX, X, "model: expected real parameters, got complex ones in scale"),
    "batch statistics": (
        nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, track_running_stats=False)),
        X,
        "running statistics, got BatchNorm1d at '1' that takes them from the samples",
    ),
    "weight in a list": (Elsewhere(), X.double(), "used through their modules, got layer.weight"),
    "reentrant checkpoint": (
        Model(lambda self, x: checkpoint(self.layer, x, use_reentrant=True)),
        X,
        "model: expected gradients by autograd, got",
    ),
    "three axes": (
        Model(lambda self, x: self.layer(x)[..., None]),
        X,
        r"expected outputs of shape \(1, C\), got \(1, 3, 1\)",
    ),
    "a dictionary": (
        Model(lambda self, x: {"logits": self.layer(x)}),
        X,
        r"expected outputs of shape \(1, C\), got dict",
    ),
    "a list of samples": (nn.Linear(5, 3), {"x": X}, "inputs: expected a tensor or an array of numbers, got dict"),
    "words": (nn.Linear(5, 3), np.array(["a", "b"]), "inputs: expected a tensor or an array of numbers, got ndarray"),
    "ragged": (nn.Linear(5, 3), [[1.0], [1.0, 2.0]], "inputs: expected a tensor or an array of numbers, got list"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_each_has_its_own_sentence(name):
    model, x, words = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        measure_module(model.eval(), x, FIM())
    assert "\n" not in str(caught.value)


@pytest.mark.slow  # torch.compile takes seconds to import
def test_a_compiled_model_is_told():
    with pytest.raises(
        ValueError, match=r"model: expected the module itself, got it compiled; measure its \._orig_mod"
    ):
        measure_module(compiled().eval(), X, FIM())


def test_none_is_trainable():
    with pytest.raises(ValueError, match="parameters: expected trainable ones, got a model whose parameters are all"):
        measure_module(nn.Linear(5, 3).eval().requires_grad_(False), X, FIM(), parameters="trainable")
    with pytest.raises(ValueError, match="parameters: expected one of all, trainable, got 'some'"):
        measure_module(nn.Linear(5, 3).eval(), X, FIM(), parameters="some")
    model = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)).eval()
    model[0].requires_grad_(False)
    with pytest.raises(ValueError, match=r"layer: expected one with parameters that count, got 1, '0' \(Linear\)"):
        measure_module(model, X, FIM(1), parameters="trainable")


@pytest.mark.parametrize("name", ["float32 logits", "float32 products", "complex64", "images as numbers"])
def test_what_is_said_to_help_helps(name):
    model, x, _ = REFUSED[name]
    found = measure_module(model.eval(), x, FIM(), dtype="float32")
    rows = torch.stack([
        torch.cat([g.flatten() for g in torch.autograd.grad(f, list(model.parameters()), retain_graph=True)])
        for sample in x.split(1) for f in model(sample)[0]
    ])  # fmt: skip
    np.testing.assert_allclose(found.mean, float((rows**2).sum()) / len(x) / rows.shape[1], rtol=1e-5)


def test_autocast_leaves_float64_alone():
    model = Model(with_autocast).eval()
    assert measure_module(model, X, FIM()).mean == measure_module(model.layer, X, FIM()).mean
    with pytest.raises(ValueError, match=r"computes in float32, got bfloat16 inside 'layer' \(Linear\)$"):
        measure_module(model, X, FIM(), dtype="float32")


@pytest.mark.parametrize(
    "array",
    [
        X.numpy()[::-1], X.numpy()[:, ::-1], X.numpy().astype(">f8"), X.numpy().astype(np.longdouble),
        np.asfortranarray(X.numpy()), X.numpy().astype(np.float16), X.tolist(),
    ],
    ids=["flipped", "flipped columns", "big-endian", "long double", "fortran", "half", "lists"],
)  # fmt: skip
def test_arrays_of_any_layout(array):
    model = nn.Linear(5, 3).eval()
    plain = torch.tensor(np.array(array, dtype=np.float64))
    assert measure_module(model, array, FIM()).mean == measure_module(model, plain, FIM()).mean


def test_inference_mode_outside_is_no_matter():
    model = nn.Linear(5, 3).eval()
    with torch.inference_mode():
        assert measure_module(model, X, FIM()).mean == measure_module(model, X, FIM()).mean


def test_an_input_metric_needs_an_input():
    model = Model(lambda self, x: self.layer(self.layer(x)), nn.Linear(5, 5)).eval()
    with pytest.raises(ValueError, match=r"called once for input_metric, got 1, 'layer' \(Linear\), called 2 times"):
        measure_module(model, X, InputMetric())
