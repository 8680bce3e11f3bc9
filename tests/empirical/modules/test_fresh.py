"""Thirty models as a new user would try them, chosen afresh: each answered as autograd does, sample by sample."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from empirical import measure_module
from meanfield.spec import FIM


class Chain(nn.Module):
    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


class Sine(nn.Module):
    def forward(self, u):
        return torch.sin(30 * u)


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, 6))

    def forward(self, x):
        return torch.cat([torch.sin(x @ self.frequencies), torch.cos(x @ self.frequencies)], -1)


class Experts(nn.Module):
    """Each sample to the expert that a gate chooses."""

    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 2), nn.ModuleList(nn.Linear(4, 3) for _ in range(2))

    def forward(self, x):
        weights = self.gate(x).softmax(1)
        out = x.new_zeros(len(x), 3)
        for i, expert in enumerate(self.experts):
            mine = weights.argmax(1) == i
            if mine.any():
                out[mine] = weights[mine, i : i + 1] * torch.tanh(expert(x[mine]))
        return out


class Hyper(nn.Module):
    """One network makes another's weight from the sample."""

    def __init__(self):
        super().__init__()
        self.make, self.base = nn.Linear(4, 12), nn.Parameter(torch.randn(3, 4))

    def forward(self, x):
        return torch.bmm(torch.tanh(self.make(x)).view(-1, 3, 4) + self.base, x[:, :, None])[:, :, 0]


class Causal(nn.Module):
    """A small language model: tokens, positions, a masked block, the head tied to the tokens."""

    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(6, 4), nn.Parameter(torch.randn(5, 4))
        self.attend, self.norm = nn.MultiheadAttention(4, 2, batch_first=True), nn.LayerNorm(4)
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, ids):
        h = self.tokens(ids) + self.places[: ids.shape[1]]
        mask = torch.triu(torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool), 1)
        y = self.norm(h)
        h = h + self.attend(y, y, y, attn_mask=mask, need_weights=False)[0]
        h = h + self.down(F.gelu(self.up(h)))
        return F.linear(h[:, -1], self.tokens.weight)


class Graph(nn.Module):
    """Two rounds of messages on one graph of five nodes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("adjacency", (torch.rand(5, 5) > 0.5).double() / 3)
        self.a, self.b, self.head = nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = torch.relu(self.a(torch.einsum("ij,njd->nid", self.adjacency, x)))
        return self.head(torch.relu(self.b(self.adjacency @ h)).amax(1))


class Equilibrium(nn.Module):
    """One layer until it settles."""

    def __init__(self):
        super().__init__()
        self.inner, self.enter, self.head = nn.Linear(4, 4), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        h, u = 0, self.enter(x)
        for _ in range(6):
            h = torch.tanh(0.3 * self.inner(h + u))
        return self.head(h)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = torch.zeros(len(x), 4)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return self.head(h)


def sequence(*layers):
    return lambda: nn.Sequential(*[layer() if isinstance(layer, type) else layer for layer in layers])


def lin(*sizes, phi=nn.Tanh):
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), phi()]
    return layers[:-1]


def shuffle(self, x):
    """Windows of an image as rows of one batch."""
    n = len(x)
    windows = x.reshape(n, 2, 2, 2, 2).permute(0, 1, 3, 2, 4).reshape(n * 4, 4)
    return self.head(torch.tanh(self.inner(windows)).reshape(n, -1))


def contrast(self, x):
    return F.normalize(self.project(F.normalize(self.encode(x), dim=1)), dim=1)


def per_pixel(self, x):
    return self.head(torch.relu(self.mix(x.permute(2, 3, 0, 1))).mean((0, 1)))


def two_views(self, x):
    a, b = self.encode(x[:, :3]), self.encode(x[:, 3:])
    return torch.stack([(a * b).sum(1), (a - b).abs().sum(1)], 1)


def unet(self, x):
    down = F.relu(self.down(x))
    return F.relu(self.up(F.interpolate(down, scale_factor=2)) + x).mean((2, 3))


def steps_first(self, x):
    made, (last, _) = self.cell(x.transpose(0, 1))
    return self.head(last[-1] + made.mean(0))


FRESH = {
    "mlp, gelu": (sequence(*lin(4, 8, 8, 3, phi=nn.GELU)), (4,)),
    "siren": (sequence(*lin(2, 8, 8, 1, phi=Sine)), (2,)),
    "fourier features": (sequence(Fourier, *lin(12, 6, 3)), (2,)),
    "lenet": (
        sequence(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU, nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.ReLU, nn.Flatten,
                 nn.Linear(16, 3)), (1, 8, 8),
    ),
    "residual, batch norm": (
        sequence(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
                 Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())),
                 nn.AdaptiveAvgPool2d(1), nn.Flatten, nn.Linear(4, 3)), (2, 6, 6),
    ),
    "depthwise separable": (
        sequence(nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.ReLU6(inplace=True), nn.Conv2d(4, 6, 1), nn.Hardswish,
                 nn.Flatten, nn.Linear(6 * 16, 2)), (4, 4, 4),
    ),
    "one-dimensional convolution": (
        sequence(nn.Conv1d(2, 4, 3, dilation=2), nn.ELU, nn.Conv1d(4, 3, 2), nn.Flatten, nn.Linear(9, 2)), (2, 8)
    ),
    "volumes": (sequence(nn.Conv3d(1, 2, 2), nn.SiLU, nn.Flatten, nn.Linear(16, 2)), (1, 3, 3, 3)),
    "transposed convolution": (
        sequence(nn.Linear(3, 8), nn.Unflatten(1, (2, 2, 2)), nn.ConvTranspose2d(2, 1, 2, stride=2), nn.Flatten), (3,)
    ),
    "group norm": (
        sequence(nn.Conv2d(2, 4, 2), nn.GroupNorm(2, 4), nn.ReLU, nn.Flatten, nn.Linear(16, 2)), (2, 3, 3)
    ),
    "instance norm": (
        sequence(nn.Conv2d(2, 4, 2), nn.InstanceNorm2d(4, affine=True), nn.ReLU, nn.Flatten, nn.Linear(16, 2)),
        (2, 3, 3),
    ),
    "rms norm": (sequence(nn.Linear(4, 6), nn.RMSNorm(6), nn.Softplus, nn.Linear(6, 2)), (4,)),
    "bilinear": (lambda: Chain(lambda self, x: self.head(self.pair(x[:, :2], x[:, 2:])), pair=nn.Bilinear(2, 2, 4),
                               head=nn.Linear(4, 2)), (4,)),
    "glu": (sequence(nn.Linear(4, 8), nn.GLU(), nn.Linear(4, 3)), (4,)),
    "encoder layer": (
        sequence(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, activation="gelu"), nn.Flatten,
                 nn.Linear(12, 2)), (3, 4),
    ),
    "language model": (Causal, torch.randint(6, (4, 5), generator=torch.Generator().manual_seed(4))),
    "bag of words": (
        sequence(nn.EmbeddingBag(7, 4, mode="mean"), nn.Linear(4, 3)),
        torch.randint(7, (4, 6), generator=torch.Generator().manual_seed(5)),
    ),
    "lstm, two layers, both ways": (
        lambda: Chain(steps_first, cell=nn.LSTM(3, 4, num_layers=2), head=nn.Linear(4, 2)), (5, 3)
    ),
    "cell by cell": (Decoder, (4, 3)),
    "experts": (Experts, (4,)),
    "hypernetwork": (Hyper, (4,)),
    "graph": (Graph, (5, 2)),
    "equilibrium": (Equilibrium, (3,)),
    "windows": (lambda: Chain(shuffle, inner=nn.Linear(4, 5), head=nn.Linear(20, 2)), (4, 4)),
    "contrastive": (lambda: Chain(contrast, encode=nn.Linear(4, 6), project=nn.Linear(6, 3)), (4,)),
    "per pixel": (lambda: Chain(per_pixel, mix=nn.Linear(2, 4), head=nn.Linear(4, 2)), (2, 4, 4)),
    "two views": (lambda: Chain(two_views, encode=nn.Sequential(*lin(3, 5, 4))), (6,)),
    "u-net": (lambda: Chain(unet, down=nn.Conv2d(2, 4, 2, stride=2), up=nn.Conv2d(4, 2, 1)), (2, 4, 4)),
    "orthogonal weight": (
        lambda: nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(4, 4)), nn.Tanh(), nn.Linear(4, 2)), (4,)
    ),
    "energy, its gradient": (
        lambda: Chain(lambda self, x: self.net(x).exp().sum(1), net=nn.Sequential(*lin(3, 6, 4, phi=nn.Softplus))), (3,)
    ),
}  # fmt: skip


def test_there_are_thirty():
    assert len(FRESH) == 30


@pytest.mark.slow
@pytest.mark.parametrize("name", FRESH)
def test_answered_as_by_autograd(name, hold):
    make, shape = FRESH[name]
    torch.manual_seed(11)
    model = make().double().eval()
    x = shape if isinstance(shape, torch.Tensor) else torch.randn(4, *shape).double()
    hold(model, x)


@pytest.mark.slow
def test_a_last_layer_of_a_thousand_units_costs_its_products():
    """n = 16,000: one product δδᵀ, half of it; moments need no eigensolver."""
    model, x = nn.Linear(64, 1000).eval(), torch.randn(16, 64)
    found = measure_module(model, x, FIM())
    kernel = (x.double() @ x.double().T + 1).numpy()  # times the identity of the outputs
    expected = [np.trace(kernel) / 16 / 65, np.sum(kernel**2) / 256 / 65]
    np.testing.assert_allclose([found.mean, found.second_moment], expected, rtol=1e-10)
