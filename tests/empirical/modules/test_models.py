"""Models that work in ways of their own, each against plain autograd sample by sample: who serves each layer, and that
every number (FIM, NTK, input metrics, order parameters) is the oracle's."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from empirical import measure_module
from meanfield.spec import FIM, NTK, InputMetric

CLOSED, FUNC, AUTOGRAD = "closed form", "torch.func", "autograd"


class Chain(nn.Module):
    """Named parts and a function of them and the samples."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


class OldCube(torch.autograd.Function):
    """As they were written before torch.func."""

    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return u**3

    @staticmethod
    def backward(ctx, slope):
        (u,) = ctx.saved_tensors
        return slope * 3 * u**2


class Counting(nn.Module):
    """Changes integer buffers, a list and integer inputs in place."""

    def __init__(self):
        super().__init__()
        self.words, self.head, self.seen = nn.Embedding(7, 4), nn.Linear(4, 2), []
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.calls += 1
        self.seen.append(len(x))
        x += 1
        return torch.tanh(self.head(torch.tanh(self.words(x)).sum(1))) * self.calls


class Tie(nn.Module):
    """A head whose only parameter is the embedding's."""

    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x):
        return self.head(torch.tanh(self.words(x)).mean(1))


class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.randn(width))

    def forward(self, h):
        return h * self.gain


def time_first(steps):
    def forward(self, x):
        h = torch.tanh(self.b(torch.tanh(self.a(x.transpose(0, 1)))))
        return self.c(h.transpose(0, 1).flatten(1))

    return lambda: Chain(forward, a=nn.Linear(3, 5), b=nn.Linear(5, 5), c=nn.Linear(5 * steps, 2))


def recurrent(kind, **options):
    def forward(self, x):
        made, _ = self.cell(x if self.cell.batch_first else x.transpose(0, 1))
        return self.head(made[:, -1] if self.cell.batch_first else made[-1])

    return lambda: Chain(forward, cell=kind(3, 4, **options), head=nn.Linear(4, 2))


def words(**options):
    return lambda: Chain(
        lambda self, x: self.head(torch.tanh(self.words(x)).sum(1)),
        words=nn.Embedding(5, 4, **options), head=nn.Linear(4, 2),
    )  # fmt: skip


def frames(self, x):
    n, t = x.shape[:2]
    return self.head(torch.tanh(self.a(x.reshape(n * t, -1))).reshape(n, t, -1).mean(1))


def image_frames(self, x):
    n, t = x.shape[:2]
    h = torch.tanh(self.a(x.flatten(0, 1)))
    return self.head(h.reshape(n, t, -1).mean(1))


def siamese(self, x):
    left, right = torch.tanh(self.a(torch.cat([x[:, :4], x[:, 4:]]))).chunk(2)
    return self.head(left * right)


def hamiltonian(self, x):
    """The gradient of an energy that the model computes inside."""
    x = x.requires_grad_()
    energy = self.b(torch.tanh(self.a(x))).sum()
    (slope,) = torch.autograd.grad(energy, x, create_graph=True)
    return torch.cat([slope[:, 2:], -slope[:, :2]], 1)


def packed_by_content(self, x):
    lengths = 1 + (x[:, :, 0] > 0).sum(1).clamp(max=x.shape[1] - 1)
    _, last = self.cell(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    return self.head(last[-1])


def half_of_them_frozen(self, x):
    return self.b(torch.tanh(self.a(x)).detach()) + self.skip(x)


def sorted_tokens(self, x):
    """Tokens in the order of their scores, all samples' in one batch."""
    scores = self.score(x)[:, :, 0]
    order = scores.argsort(1)
    best = torch.gather(x, 1, order[:, :2, None].expand(-1, -1, x.shape[2]))
    return self.head(torch.tanh(self.a(best.reshape(-1, x.shape[2]))).reshape(len(x), -1))


def rolled(self, x):
    """A matrix of batch × batch inside, whose diagonal counts."""
    h = torch.tanh(self.a(x))
    return torch.einsum("nmk,nm->nk", self.b(h)[:, None, :].expand(-1, len(x), -1), torch.eye(len(x)))


def siamese_of_numbers(self, x):
    left, right = torch.tanh(self.a(torch.cat([x[:, :4], x[:, 4:]]).double() / 3)).chunk(2)
    return self.head(left * right)


def positions(self, x):
    ids = torch.arange(x.shape[1])[None]
    h = self.tokens(x) + self.mix(self.places(ids))
    return self.head(torch.tanh(h).mean(1))


def mixer(self, x):
    h = x + self.tokens(x.transpose(1, 2)).transpose(1, 2)
    return self.head((h + torch.tanh(self.channels(h))).mean(1))


def backwards(self, x):
    return self.b(torch.tanh(self.a(x.flip(0))).flip(0))


def switched(self, x):
    h = self.a(x)
    return self.b(torch.tanh(h) if h.max() > 100 else h**2)


def masked(self, x):
    h = self.a(x)
    h[h < 0] = 0
    return self.b(h)


def selected(self, x):
    h = self.a(x)
    return torch.stack([self.b(row[row > 0][:, None]).sum(0) for row in h])


def shifted(self, x):
    """The positive entries of each sample, in one batch of them all."""
    keep = x > 0
    h = torch.zeros(*x.shape, 2)
    h[keep] = torch.tanh(self.a(x[keep][:, None]))
    return h.sum(1)


def bare(self, x):
    return torch.tanh(x @ self.weights[0]) @ self.weights[1]


def parameters(*shapes):
    return nn.ParameterList([nn.Parameter(torch.randn(shape)) for shape in shapes])


def mean_over_encoder(self, x):
    return self.head(self.encoder(x.transpose(0, 1)).mean(0))


def encoder(**options):
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(4, 2, 6, **options), 1, enable_nested_tensor=False
    )  # fmt: skip


def frozen():
    model = nn.Sequential(nn.Linear(4, 5), nn.PReLU(), nn.LayerNorm(5), nn.Linear(5, 3))
    model[0].requires_grad_(False)
    model[3].weight.requires_grad_(False)
    return model


def pair(width=5, out=3):
    return {"a": nn.Linear(4, width), "b": nn.Linear(width, out)}


@dataclass
class Case:
    """A model, the shape of a sample (or numbers), which way serves some layers, and tensors found sample by sample."""

    make: object
    inputs: object
    ways: dict
    alone: set = field(default_factory=set)
    samples: int = 4
    which: str = "all"


CASES = {
    # The issue's own.
    "time first, N = T": Case(time_first(8), (8, 3), {"a": CLOSED, "b": CLOSED, "c": CLOSED}, samples=8),
    "time first": Case(time_first(3), (3, 3), {"a": CLOSED, "b": CLOSED}),
    "frames in the batch": Case(lambda: Chain(frames, a=nn.Linear(3, 5), head=nn.Linear(5, 2)), (4, 3), {"a": CLOSED}),
    "siamese": Case(lambda: Chain(siamese, a=nn.Linear(4, 5), head=nn.Linear(5, 2)), (8,), {"a": CLOSED}),
    "siamese, of whole numbers": Case(
        lambda: Chain(siamese_of_numbers, a=nn.Linear(4, 5), head=nn.Linear(5, 2)),
        torch.arange(32).reshape(4, 8) ** 2 % 7, {"a": CLOSED},
    ),
    "position ids": Case(
        lambda: Chain(positions, tokens=nn.Linear(3, 5), places=nn.Embedding(6, 4), mix=nn.Linear(4, 5),
                      head=nn.Linear(5, 2)),
        (4, 3), {"places": FUNC, "mix": CLOSED}, {"mix:given", "mix:made", "places:made"},
    ),
    "encoder, time first": Case(
        lambda: Chain(mean_over_encoder, encoder=encoder(), head=nn.Linear(4, 2)), (5, 4),
        {"encoder.layers.0.self_attn": FUNC, "encoder.layers.0.linear1": CLOSED},
    ),
    "mixer": Case(
        lambda: Chain(mixer, tokens=nn.Linear(4, 4), channels=nn.Linear(3, 3), head=nn.Linear(3, 2)), (4, 3),
        {"tokens": CLOSED, "channels": CLOSED},
    ),
    "lstm": Case(recurrent(nn.LSTM), (4, 3), {"cell": AUTOGRAD, "head": CLOSED}),
    "lstm, batch first": Case(recurrent(nn.LSTM, batch_first=True), (4, 3), {"cell": AUTOGRAD}),
    "gru": Case(recurrent(nn.GRU, bidirectional=False), (5, 3), {"cell": AUTOGRAD}),
    "rnn": Case(recurrent(nn.RNN, num_layers=2), (4, 3), {"cell": AUTOGRAD}),
    "prelu": Case(
        lambda: nn.Sequential(nn.Linear(5, 6), nn.PReLU(), nn.Linear(6, 3)), (5,), {"0": CLOSED, "1": AUTOGRAD}
    ),
    "control flow": Case(lambda: Chain(switched, **pair()), (4,), {"a": CLOSED}),
    "masked assignment": Case(lambda: Chain(masked, **pair()), (4,), {"a": CLOSED}),
    "old autograd function": Case(
        lambda: Chain(lambda self, x: self.b(OldCube.apply(self.norm(self.a(x)))), norm=nn.LayerNorm(5), **pair()),
        (4,),
        {"a": CLOSED, "norm": AUTOGRAD},
    ),
    "checkpointed": Case(
        lambda: Chain(lambda self, x: self.b(checkpoint(self.inner, x, use_reentrant=False)), **pair(),
                      inner=nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh())), (4,),
        {"inner.1": AUTOGRAD},
    ),
    "max_norm": Case(words(max_norm=1.0), torch.tensor([[0, 1], [2, 2], [4, 3]]), {"words": AUTOGRAD, "head": CLOSED}),
    "scale_grad_by_freq": Case(
        words(scale_grad_by_freq=True), torch.tensor([[0, 1], [2, 2], [0, 3]]), {"words": AUTOGRAD, "head": CLOSED}
    ),
    "parameter list alone": Case(lambda: Chain(bare, weights=parameters((4, 5), (5, 2))), (4,), {"weights": FUNC}),
    "tied head": Case(Tie, torch.tensor([[0, 1], [2, 2], [4, 3]]), {"head": "no parameters that count"}),
    "integers in place": Case(Counting, torch.tensor([[0, 1], [2, 2], [4, 3]]), {"head": CLOSED}),
    "relu in place first": Case(lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)), (4,), {"1": CLOSED}),
    "outputs (N,)": Case(lambda: nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), (4,), {"0": CLOSED}),
    "frozen": Case(frozen, (4,), {"0": "no parameters that count", "1": AUTOGRAD, "3": FUNC}, which="trainable"),
    "frozen, all": Case(frozen, (4,), {"0": CLOSED}),
    # More of each kind.
    "energy inside": Case(lambda: Chain(hamiltonian, **pair()), (4,), {"a": AUTOGRAD, "b": AUTOGRAD}),
    "packed by content": Case(
        lambda: Chain(packed_by_content, cell=nn.GRU(3, 4), head=nn.Linear(4, 2)), (4, 3), {"cell": AUTOGRAD}
    ),
    "partly detached": Case(
        lambda: Chain(half_of_them_frozen, skip=nn.Linear(4, 3), **pair()), (4,), {"a": CLOSED, "b": CLOSED}
    ),
    "sorted tokens": Case(
        lambda: Chain(sorted_tokens, score=nn.Linear(3, 1), a=nn.Linear(3, 4), head=nn.Linear(8, 2)), (5, 3),
        {"score": CLOSED, "a": CLOSED},
    ),
    "batch by batch": Case(lambda: Chain(rolled, **pair()), (4,), {"a": CLOSED, "b": CLOSED}),
    "samples backwards": Case(lambda: Chain(backwards, **pair()), (4,), {"a": CLOSED}, {"a:given", "a:made"}),
    "image frames in the batch": Case(
        lambda: Chain(image_frames, a=nn.Conv2d(1, 2, 2), head=nn.Linear(8, 2)), (3, 1, 3, 3), {"a": CLOSED}
    ),
    "channels last": Case(
        lambda: Chain(lambda self, x: self.b(torch.tanh(self.a(x.movedim(0, -1).movedim(-1, 0))).sum((2, 3))),
                      a=nn.Conv2d(4, 5, 2), b=nn.Linear(5, 3)), (4, 3, 3), {"a": CLOSED},
    ),
    "samples last": Case(
        lambda: Chain(lambda self, x: self.b(torch.tanh(self.gain(x.T)).T), gain=Scale(1), b=nn.Linear(4, 3)), (4,),
        {"gain": FUNC, "b": CLOSED},
    ),
    "as many entries as positive": Case(
        lambda: Chain(shifted, a=nn.Linear(1, 2)), (6,), {"a": AUTOGRAD}
    ),
    "row by row": Case(
        lambda: Chain(selected, a=nn.Linear(4, 5), b=nn.Linear(1, 2)), (4,), {"a": CLOSED, "b": AUTOGRAD}
    ),
    "squeezed": Case(
        lambda: Chain(lambda self, x: self.b(torch.tanh(self.a(x))).squeeze(), a=nn.Linear(4, 5), b=nn.Linear(5, 1)),
        (4,),
        {"a": CLOSED, "b": CLOSED},
    ),
    "one sample": Case(time_first(1), (1, 3), {"a": CLOSED}, samples=1),
    "two samples, two steps": Case(time_first(2), (2, 3), {"a": CLOSED, "b": CLOSED}, samples=2),
    "grouped and padded": Case(
        lambda: nn.Sequential(nn.Conv2d(2, 4, 2, groups=2), nn.Tanh(), nn.Conv2d(4, 2, 3, padding="same"), nn.Flatten(),
                              nn.Linear(8, 2)), (2, 3, 3), {"0": FUNC, "2": FUNC, "4": CLOSED},
    ),
    "fourier": Case(
        lambda: Chain(lambda self, x: self.b(torch.fft.irfft(torch.fft.rfft(self.a(x)), n=5)), **pair()), (4,),
        {"a": CLOSED},
    ),
    "zeros made inside": Case(
        lambda: Chain(lambda self, x: self.b(torch.cat([torch.tanh(self.a(x)), torch.zeros(len(x), 1)], 1)),
                      a=nn.Linear(4, 4), b=nn.Linear(5, 3)), (4,), {"a": CLOSED, "b": CLOSED},
    ),
}  # fmt: skip


def case_of(name):
    case = CASES[name]
    torch.manual_seed(1)
    model = case.make().double().eval()
    torch.manual_seed(2)
    x = case.inputs if isinstance(case.inputs, torch.Tensor) else torch.randn(case.samples, *case.inputs).double()
    return case, model, x.clone()


@pytest.mark.parametrize("name", CASES)
def test_every_number_is_that_of_the_samples_alone(name, hold):
    case, model, x = case_of(name)
    found = hold(model, x, case.which)
    assert {layer: found.provenance["layers"][layer] for layer in case.ways} == case.ways
    alone = {tensor for tensor, way in found.provenance["signals"].items() if way == "sample by sample"}
    assert alone == case.alone


def test_an_axis_as_long_as_the_samples_is_not_theirs():
    """The issue's own figures."""
    torch.manual_seed(1)
    model = time_first(8)().eval()
    torch.manual_seed(2)
    found = measure_module(model, torch.randn(8, 8, 3), InputMetric(0), spectrum="extremes")
    np.testing.assert_allclose([found.largest, found.order_parameters.q_st[0]], [0.007515, 0.05520], rtol=1e-3)


def test_what_the_model_holds_comes_back():
    _, model, x = case_of("integers in place")
    measure_module(model, x, FIM())
    assert (model.calls, model.seen, torch.get_default_dtype()) == (0, [], torch.float32)


def test_trainable_parameters_count_in_the_dimension():
    _, model, x = case_of("frozen")
    counts = {"all": sum(p.numel() for p in model.parameters()), "trainable": 1 + 5 + 5 + 3}
    for which, count in counts.items():
        fim, ntk = measure_module(model, x, [FIM(), NTK()], parameters=which)
        assert (fim.dimension, ntk.dimension) == (count, 12)
        assert fim.provenance["parameters"] == which
        np.testing.assert_allclose(ntk.mean * 12, fim.mean * count * len(x), rtol=1e-12)
