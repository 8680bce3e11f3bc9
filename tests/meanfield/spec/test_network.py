"""A network is a sequence of layers: the constructor and `Network.of` make the same, and digests stay."""

from __future__ import annotations

import json
import pickle

import pytest

from meanfield import Network
from meanfield.spec import LAYERS, Activate, Linear

DENSE = Network(4, ["relu", "tanh", "leaky_relu(0.2)"], [1, 2, 3, 4], 0.1, outputs=5, width_ratios=[1, 0.5, 2, 1])
PLAIN = Network.of([Linear(2.0, 0.1, 0.5), Linear(1.5), Activate("tanh"), Linear(3.0)], outputs=2, input_ratio=2.0)


def test_the_constructor_makes_the_sequence_that_of_takes() -> None:
    by_hand = [
        Linear(1, 0.1, 0.5), Activate("relu"), Linear(2, 0.1, 2), Activate("tanh"), Linear(3, 0.1),
        Activate("leaky_relu(0.2)"), Linear(4, 0.1),
    ]  # fmt: skip
    assert Network.of(by_hand, outputs=5) == DENSE
    assert DENSE.is_dense
    assert Network.of(by_hand, outputs=5).digest == DENSE.digest


# Made by the release before networks were sequences: stores and sweep files name their networks by these.
DIGESTS = {
    "23919874adfa1a8e42ce4a71ac5e4c382fc8183d419a7c000ea768a5e5afa100": Network(3, "tanh", 3.0, 0.64, outputs=10),
    "018139bb928ee891351f297153ef0a9b6186a7cd5f77e426cc3161bf2d7573f8": Network(1, "relu", 2.0),
    "82e18d85109a32dcf9cb86e793369f6f9b35caf7b58d438ca0693529eb913546": Network(
        4, ["relu", "tanh", "leaky_relu(0.2)"], [1, 2, 3, 4], 0.1, width_ratios=[1, 0.5, 2, 1]
    ),
}


@pytest.mark.parametrize(("digest", "network"), DIGESTS.items())
def test_dense_digests_stay(digest: str, network: Network) -> None:
    assert network.digest == digest


@pytest.mark.parametrize("network", [DENSE, PLAIN, Network(1, "relu", 2.0)])
def test_plain_data_and_pickles_come_back(network: Network) -> None:
    again = Network.from_dict(json.loads(json.dumps(network.to_dict())))
    assert again == network == pickle.loads(pickle.dumps(network))
    assert (hash(again), again.digest) == (hash(network), network.digest)


def test_a_sequence_tells_of_its_weight_layers() -> None:
    assert not PLAIN.is_dense
    assert (PLAIN.depth, PLAIN.weight_variance, PLAIN.bias_variance) == (3, (2.0, 1.5, 3.0), (0.1, 0.0, 0.0))
    assert [phi.name for phi in PLAIN.activation] == ["tanh"]
    assert PLAIN.width_ratios == (2.0, 0.5, 1.0)
    assert PLAIN.widths(10) == (20, 5, 10, 2)


def test_the_name_of_an_activation_is_not_part_of_the_digest() -> None:
    swish, silu = (Network.of([Linear(1.0), Linear(1.0), Activate(n), Linear(1.0)]) for n in ("swish", "silu"))
    assert swish.digest == silu.digest
    assert swish.digest != Network.of([Linear(1.0), Activate("silu"), Linear(1.0), Linear(1.0)]).digest


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "layers: expected a Linear last"),
        ([Linear(1.0), Activate("relu")], ValueError, "layers: expected a Linear last"),
        ([Linear(1.0), "relu", Linear(1.0)], TypeError, "layers: expected layers"),
        ([Linear(1.0, 0.0, 2.0)], ValueError, "layers: expected the last width_ratio to be 1"),
    ],
)
def test_sequences_that_make_no_network(layers: list[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        Network.of(layers)  # type: ignore[arg-type]


def test_theories_of_dense_networks_refuse_others_in_one_sentence() -> None:
    DENSE.check_dense("the refined order")
    with pytest.raises(ValueError, match=r"^network: expected a fully connected one .* for x, got linear, linear"):
        PLAIN.check_dense("x")


def test_layers_check_their_fields() -> None:
    for field in ("weight_variance", "bias_variance", "width_ratio"):
        with pytest.raises(ValueError, match=f"^{field}: expected"):
            Linear(**{"weight_variance": 1.0, field: -1.0})
    with pytest.raises(ValueError, match=r"^activation: expected a registered name"):
        Activate("rulu")  # type: ignore[arg-type]
    assert {kind.kind for kind in LAYERS.values()} == set(LAYERS)


LAYER, PHI = Linear(1.0).to_dict(), {"name": "relu", "text": "Max(u, 0)", "breakpoints": [0.0]}
SEQUENCE = {"layers": [LAYER], "outputs": 1, "input_ratio": 1.0}
WRONG = {
    "no table": (3, "network: expected a table, got 3"),
    "missing": ({"depth": 1, "activation": []}, "network: expected the keys depth, .*, got no 'weight_variance'"),
    "unknown": ({**DENSE.to_dict(), "dept": 1}, "network: expected the keys depth, .*, got 'dept'"),
    "activations": ({**DENSE.to_dict(), "activation": 1}, "activation: expected a list of tables, got 1"),
    "activation": ({**DENSE.to_dict(), "activation": ["relu"]}, "activation: expected a table, got 'relu'"),
    "its keys": (
        {**DENSE.to_dict(), "activation": [{"name": "relu"}]},
        "activation: expected the keys name, text, breakpoints, got no 'text'",
    ),
    "its breakpoints": (
        {**DENSE.to_dict(), "activation": [{**PHI, "breakpoints": None}]},
        "activation.breakpoints: expected a list of numbers, got None",
    ),
    "one of them": (
        {**DENSE.to_dict(), "activation": [{**PHI, "breakpoints": ["x"]}]},
        "activation.breakpoints: expected a number, got 'x'",
    ),
    "no outputs": ({"layers": [LAYER]}, "network: expected the keys layers, outputs, input_ratio, got no 'outputs'"),
    "no list": ({**SEQUENCE, "layers": LAYER}, "layers: expected a list of tables, got {"),
    "no layer": ({**SEQUENCE, "layers": [1]}, "layers: expected tables of the kinds linear, .*, got 1"),
    "no kind": ({**SEQUENCE, "layers": [{}]}, "layers: expected tables of the kinds linear, .*, got None"),
    "another kind": ({**SEQUENCE, "layers": [{"kind": "x"}]}, "layers: expected tables of the kinds .*, got 'x'"),
    "a layer's key": (
        {**SEQUENCE, "layers": [{"kind": "linear"}]},
        r"layers\.linear: expected the keys kind, weight_variance, .*, got no 'weight_variance'",
    ),
    "another key": ({**SEQUENCE, "layers": [{**LAYER, "x": 1}]}, r"layers\.linear: expected the keys .*, got 'x'"),
    "a layer's activation": (
        {**SEQUENCE, "layers": [{"kind": "activate"}]},
        r"layers\.activate: expected the keys kind, activation, got no 'activation'",
    ),
}


@pytest.mark.parametrize(("plain", "message"), WRONG.values(), ids=WRONG)
def test_plain_data_that_make_no_network_are_refused_in_a_sentence(plain: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        Network.from_dict(plain)  # type: ignore[arg-type]
