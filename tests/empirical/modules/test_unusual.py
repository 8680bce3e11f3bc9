"""Models that share, wrap, recompute or write to what they compute with: each as autograd has it, sample by sample, and
as it was before."""

import collections
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from empirical import measure_module
from meanfield.spec import FIM, NTK


class Twice(nn.Module):
    """One module under two names."""

    def __init__(self):
        super().__init__()
        self.a, self.o = nn.Linear(3, 3), nn.Linear(3, 2)
        self.b = self.a

    def forward(self, x):
        return self.o(self.b(torch.tanh(self.a(x))))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.f, self.o = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.o(torch.vmap(self.f, in_dims=1, out_dims=1)(x).tanh().mean(1))


class Force(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 6), nn.Linear(6, 1)

    def forward(self, x):
        return -torch.vmap(torch.func.grad(lambda q: self.b(torch.tanh(self.a(q))).sum()))(x)


class Checkpointed(nn.Module):
    def __init__(self, freeze=False):
        super().__init__()
        self.a, self.b, self.o = nn.Linear(3, 5), nn.Sequential(nn.Linear(5, 5), nn.Tanh()), nn.Linear(5, 2)
        self.g = nn.Parameter(torch.randn(5))
        self.b.requires_grad_(not freeze)

    def forward(self, x):
        h = checkpoint(self.b, self.a(x), use_reentrant=False)
        return self.o(checkpoint(lambda y: torch.tanh(y * self.g) ** 3, h, use_reentrant=False))


class Normalised(nn.Module):
    """Writes to a parameter at each pass."""

    def __init__(self):
        super().__init__()
        self.a, self.o = nn.Linear(3, 4), nn.Linear(4, 2, bias=False)

    def forward(self, x):
        with torch.no_grad():
            self.o.weight.copy_(nn.functional.normalize(self.o.weight, dim=1))
        return self.o(torch.tanh(self.a(x)))


class Probe(nn.Module):
    """A backbone in inference mode."""

    def __init__(self):
        super().__init__()
        self.a, self.o = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        with torch.inference_mode():
            h = torch.tanh(self.a(x))
        return self.o(h.clone())


def shared_activation():
    act = nn.PReLU()
    return nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 2))


MODELS = {
    "a module in two places of a Sequential": (shared_activation, (4, 3)),
    "a module under two names": (Twice, (4, 3)),
    "three times the same layer": (lambda: nn.Sequential(*[nn.Linear(3, 3)] * 3), (4, 3)),
    "a layer under vmap": (Tokens, (4, 5, 3)),
    "a gradient under vmap": (Force, (4, 3)),
    "checkpoints": (Checkpointed, (4, 3)),
    "a frozen checkpoint": (lambda: Checkpointed(freeze=True), (4, 3)),
    "a weight normalised in place": (Normalised, (4, 3)),
    "a backbone in inference mode": (Probe, (4, 3)),
}


def largest(model, x):
    """λ_max of the FIM by autograd, each sample alone, float64."""
    import copy

    model = copy.deepcopy(model).double()
    parameters = [p.requires_grad_() for p in model.parameters()]
    rows = []
    for sample in x.double().split(1):
        for f in model(sample)[0]:
            made = torch.autograd.grad(f, parameters, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([g.flatten() for g in made]))
    jacobian = torch.stack(rows)
    return float(torch.linalg.eigvalsh(jacobian @ jacobian.T / len(x))[-1])


@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_measured_whatever_precision_the_model_has(name, double):
    torch.manual_seed(0)
    made, shape = MODELS[name]
    model = made().eval()
    model = model.double() if double else model
    x = torch.randn(shape, dtype=torch.float64 if double else torch.float32)
    before = {n: (p, p.detach().clone(), p.requires_grad) for n, p in model.named_parameters()}
    expected = largest(model, x)
    assert measure_module(model, x, FIM()).largest == pytest.approx(expected, rel=1e-9)
    assert measure_module(model, x, NTK(), dtype="float32").largest == pytest.approx(len(x) * expected, rel=1e-4)
    for n, p in model.named_parameters():
        held, numbers, trained = before[n]
        assert p is held
        assert torch.equal(p, numbers)
        assert (p.requires_grad, p.grad) == (trained, None)


def test_whatever_a_model_keeps_of_a_pass_is_as_before():
    class Logs(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(3, 2)
            self.log, self.recent = {"norm": [], "deep": {"er": [[]]}}, collections.deque(maxlen=3)
            self.calls, self.state = np.zeros(1), types.SimpleNamespace(n=0, seen={1})
            self.pair = (torch.zeros(1), [])

        def forward(self, x):
            norm = float(x.detach().norm())
            self.log["norm"].append(norm)
            self.log["deep"]["er"][0].append(norm)
            self.recent.append(norm)
            self.calls += 1
            self.state.n += 1
            self.state.seen.add(norm)
            self.pair[0].add_(1)
            self.pair[1].append(norm)
            return self.f(x)

    model = Logs().eval()
    log, recent = model.log, model.recent
    measure_module(model, torch.randn(4, 3), FIM())
    assert model.log is log
    assert model.recent is recent
    assert model.log == {"norm": [], "deep": {"er": [[]]}}
    assert (list(model.recent), model.calls.tolist(), model.state.n, model.state.seen) == ([], [0.0], 0, {1})
    assert (model.pair[0].item(), model.pair[1]) == (0.0, [])


def test_samples_that_are_trimmed_to_the_longest_of_the_batch_mix():
    """Two halves with a longest one each agree with the whole; each sample alone doesn't."""

    class Trim(nn.Module):
        def __init__(self):
            super().__init__()
            self.e, self.l, self.o = nn.Embedding(6, 3), nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, t):
            return self.o(self.l(self.e(t[:, : int((t != 0).sum(1).max())]))[0][:, -1])

    words = [[1, 2, 0, 0, 0], [3, 1, 0, 0, 0], [2, 2, 5, 0, 0], [1, 4, 5, 0, 0], [5, 3, 2, 0, 0], [2, 0, 0, 0, 0],
             [1, 1, 3, 0, 0], [4, 0, 0, 0, 0]]  # fmt: skip
    with pytest.raises(ValueError, match="expected outputs of one sample each, got ones that mix samples"):
        measure_module(Trim().eval(), torch.tensor(words), FIM())


class Batch(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(3, 2)

    def forward(self, x):
        return nn.functional.batch_norm(self.f(x), None, None, training=True)


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.f, self.W = nn.Linear(3, 4), torch.randn(4, 2, dtype=torch.float32)

    def forward(self, x):
        return self.f(x) @ self.W


class Late(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(3, 4)

    def forward(self, x):
        if not hasattr(self, "head"):
            self.head = nn.Linear(4, 2)
        return self.head(self.f(x))


class Empty(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.f = nn.Parameter(torch.zeros(0, 3)), nn.Linear(3, 2)

    def forward(self, x):
        return self.f(x) + self.e.sum()


@pytest.mark.parametrize(
    ("made", "metric", "sentence"),
    [
        (Batch, FIM(), r"inputs: expected samples that the model takes in any number, got .*more than 1 value per"),
        (Constant, FIM(), r"model: expected tensors that are parameters or buffers .*got a plain one in float32, W$"),
        (Late, FIM(), r"model: expected one that has all its parameters, got head.weight made in a pass"),
        (Empty, FIM(layer=1), r"layer: expected one with parameters that count, got 1, the model itself \(Empty\)"),
    ],
)
def test_what_can_not_be_measured_is_told_by_its_cause(made, metric, sentence):
    model = made().eval()
    names = set(vars(model))
    with pytest.raises(ValueError, match=f"^{sentence}"):
        measure_module(model, torch.randn(4, 3), metric)
    assert set(vars(model)) == names


def test_an_exported_program_is_told_apart():
    exported = torch.export.export(nn.Sequential(nn.Linear(3, 2)).eval(), (torch.randn(2, 3),)).module()
    with pytest.raises(ValueError, match="got an exported one; measure that which was exported"):
        measure_module(exported, torch.randn(2, 3), FIM())
