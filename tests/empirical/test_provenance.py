"""What changes the hash of the measuring code, and what doesn't: on edited copies of the packages."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import empirical
import meanfield
from empirical import measure
from empirical.networks.layers import DRAW
from empirical.provenance import code_hash
from meanfield.spec import FIM, NTK, Activate, InputMetric, Linear, Network

NET = Network(2, "tanh", 2.0, 0.1)
ASK = """
from empirical.provenance import code_hash, module_code_hash
from meanfield.spec import FIM, NTK, Linear, Network
net = Network(2, "tanh", 2.0, 0.1)
print(code_hash([net], [FIM()], "numpy"), code_hash([net], [NTK()], "numpy"), code_hash([net], [FIM()], "torch"),
      code_hash([Network.of([Linear(1.0)])], [FIM()], "numpy"), module_code_hash([FIM()]))
"""
NAMES = ("fim", "ntk", "torch", "linear", "module")
LAYER = """
from empirical.networks.layers.base import DrawnLayer
from meanfield.spec import Layer

class Doubled(Layer):
    kind = "doubled"
"""
FAMILY = """
class Other(InputMetric):
    family = "other"

FAMILIES[Other.family] = Family(PREACTIVATION, shift, averaged=False, own_dual=False)
"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Makes a copy of both packages, lets a function edit it, and gives the hashes that it has then."""

    def hashes(edit=lambda root: None):
        root = tmp_path_factory.mktemp("packages")
        for package in (empirical, meanfield):
            home = Path(package.__file__).parent
            shutil.copytree(home, root / home.name, ignore=shutil.ignore_patterns("__pycache__"))
        edit(root)
        made = subprocess.run(
            [sys.executable, "-P", "-c", ASK],
            cwd=root,
            env={"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(zip(NAMES, made.stdout.split(), strict=True))

    return hashes


@pytest.fixture(scope="module")
def before(copies):
    return copies()


def appended(*edits):
    """Text added to the ends of files, which are made where there are none."""

    def edit(root):
        for name, text in edits:
            (root / name).parent.mkdir(exist_ok=True)
            with (root / name).open("a", encoding="utf-8") as file:
                file.write(text)

    return edit


def replaced(name, old, new):
    """The first such text in a file replaced by another."""

    def edit(root):
        text = (root / name).read_text("utf-8")
        assert old in text
        (root / name).write_text(text.replace(old, new, 1), "utf-8")

    return edit


# Edit → the questions whose hash it changes.
LAYERS, BACKENDS = "empirical/networks/layers", "empirical/backends"
EDITS = {
    "new layer type": (
        appended((f"{LAYERS}/doubled.py", LAYER), (f"{LAYERS}/__init__.py", LAYER + "DRAW[Doubled] = None\n")), "",
    ),
    "new metric": (appended(("empirical/dual/families.py", FAMILY)), ""),
    "new head": (
        appended(("empirical/dual/heads.py", "HEADS['x'] = Bare\n"), ("meanfield/spec/losses.py", "LOSSES['x'] = 1\n")),
        "",
    ),
    "the bare head": (
        replaced("empirical/dual/heads.py", "return block\n", "return 1 * block\n"), "fim ntk torch linear module",
    ),
    "new backend": (
        appended((f"{BACKENDS}/jax.py", "1\n"), (f"{BACKENDS}/__init__.py", "BACKENDS['jax'] = ('x', 'X', '')\n")), "",
    ),
    "new activation": (appended(("meanfield/spec/activations.py", "_ROWS['other'] = ('2*u', (), {})\n")), ""),
    "new room, command": (appended(("empirical/geometry/__init__.py", "1\n"), ("empirical/cli.py", "1\n")), ""),
    "new module reader": (appended(("empirical/modules/reading.py", "1\n")), "module"),
    "around the records": (
        appended(("meanfield/spec/layers/base.py", "1\n"), ("meanfield/spec/metric.py", "1\n")), "",
    ),
    "dual matrices": (appended(("empirical/dual/gram.py", "1\n")), "fim ntk torch linear module"),
    "streams": (appended(("empirical/networks/streams.py", "1\n")), "fim ntk torch linear module"),
    "one layer type": (appended((f"{LAYERS}/activate.py", "1\n")), "fim ntk torch"),
    "what it imports": (appended((f"{LAYERS}/hadamard.py", "1\n")), "fim ntk torch linear"),
    "its record": (
        replaced("meanfield/spec/layers/linear.py", "return entering", "return 2 * entering"), "fim ntk torch linear",
    ),
    "how texts are run": (appended(("meanfield/spec/elementwise.py", "1\n")), "fim ntk torch"),
    "one backend": (appended((f"{BACKENDS}/torch.py", "1\n")), "torch module"),
    "a metric's rule": (replaced("empirical/dual/families.py", "return layer.w", "return 2 * layer.w"), "ntk"),
    "how many units": (
        replaced("meanfield/spec/checks.py", "nearest = round(exact)", "nearest = int(exact)"), "fim ntk torch linear",
    ),
    "the units of all layers": (
        replaced("meanfield/spec/network.py", "enumerate(self.width_ratios))", "enumerate(self.width_ratios, 0))"),
        "fim ntk torch linear",
    ),
    "what is recorded": (
        replaced("meanfield/spec/states.py", "layers = [LayerState", "layers = [*()] + [LayerState"),
        "fim ntk torch linear module",
    ),
    "its layers": (
        replaced("meanfield/spec/metric.py", "return range(1, depth", "return range(2, depth"),
        "fim ntk torch linear module",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_only_what_a_question_uses_changes_its_hash(copies, before, name):
    edit, changed = EDITS[name]
    after = copies(edit)
    assert {name for name in NAMES if after[name] != before[name]} == set(changed.split())


def test_the_copy_is_what_runs_here(before):
    assert before["fim"] == code_hash([NET], [FIM()], "numpy")
    assert len(set(before.values())) == len(NAMES)


def test_layers_metrics_and_backend_choose_and_nothing_else():
    assert code_hash([NET], [FIM()], "numpy") == code_hash([Network(5, "relu", 1.0)], [FIM(2)], "numpy")
    assert code_hash([NET], [FIM()], "numpy") != code_hash([NET], [FIM(loss="cross_entropy")], "numpy")
    assert code_hash([NET], [FIM(), NTK()], "numpy") == code_hash([NET, NET], [NTK(), FIM(), FIM(1)], "numpy")
    assert code_hash([NET], [InputMetric()], "torch:cuda") == code_hash([NET], [InputMetric()], "torch")


def test_layers_within_layers_count():
    class Twice(Linear):
        layers = (Linear(1.0), Activate("tanh"))

    assert {Linear, Activate} <= set(DRAW)
    inner = Network.of([Linear(1.0), Activate("tanh"), Linear(1.0)])
    try:
        DRAW[Twice] = DRAW[Linear]
        assert code_hash([Network.of([Twice(1.0)])], [FIM()], "numpy") != code_hash([inner], [FIM()], "numpy")
    finally:
        del DRAW[Twice]


def test_a_measurement_records_its_own():
    found = measure(NET, [FIM(), NTK()], width=4, samples=3)
    assert found[0].provenance["code"] == code_hash([NET], [FIM(), NTK()], "numpy")
