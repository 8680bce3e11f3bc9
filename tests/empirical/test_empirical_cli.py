"""The command line: what it prints, and how it ends."""

import json
import subprocess
import sys

import numpy as np
import pytest

from empirical import empirical_kernel, measure
from empirical.cli import main
from meanfield.spec import FIM, NTK, Network

NET = [
    "--activation", "tanh", "--weight-variance", "3", "--bias-variance", "0.64", "--depth", "3", "--outputs", "2",
    "--width", "10", "--samples", "6",
]  # fmt: skip


def test_measure_prints_what_measure_says(capsys):
    assert main(["measure", *NET, "--metric", "ntk", "--seed", "5", "--json"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    expected = measure(Network(3, "tanh", 3.0, 0.64, 2), NTK(), width=10, samples=6, seed=5, spectrum="extremes")
    assert (printed["mean"], printed["outliers"]) == (expected.mean, expected.outliers.tolist())
    assert printed["metric"] == NTK().to_dict()
    assert printed["provenance"]["seed"] == {"entropy": 5, "spawn_key": []}
    assert printed["eigenvalues"] is None
    np.testing.assert_array_equal(printed["order_parameters"]["q_st"], expected.order_parameters.q_st)


def test_kernel_writes_what_empirical_kernel_gives(capsys, tmp_path):
    x, other = np.random.default_rng(0).standard_normal((2, 7, 10))
    np.save(tmp_path / "X.npy", x)
    (tmp_path / "other.csv").write_text("\n".join(",".join(map(repr, row)) for row in other.tolist()))
    asked = [word for word in NET if word not in ("--samples", "6")]
    given = ["--inputs", str(tmp_path / "X.npy"), "--others", str(tmp_path / "other.csv"), "--seed", "5"]
    out = str(tmp_path / "K.npy")
    words = ["kernel", *asked, *given, "--out", out, "--metric", "fim", "--layer", "2", "--keep", "each"]
    assert main(words) == 0
    network = Network(3, "tanh", 3.0, 0.64, 2)
    expected = empirical_kernel(network, x, other, FIM(2), outputs="each", width=10, seed=5)
    np.testing.assert_array_equal(np.load(out), expected.values)
    printed = capsys.readouterr().out
    assert "kernel 2 × 7 × 7, float64" in printed
    assert "warning: values: ν = 1/N counts the 7 samples of X" in printed
    assert main([*words, "--dtype", "float32"]) == 2
    assert "got one of another (dtype)" in capsys.readouterr().err


def test_trials_are_different_networks_and_the_table_shows_their_mean(capsys):
    assert main(["measure", *NET, "--trials", "3", "--json", "--spectrum", "moments"]) == 0
    trials = json.loads(capsys.readouterr().out)
    means = [t["mean"] for t in trials]
    assert len(set(means)) == 3
    assert trials[0]["largest"] is None
    assert main(["measure", *NET, "--trials", "3", "--spectrum", "moments"]) == 0
    captured = capsys.readouterr()
    assert f"{np.mean(means):.6g}" in captured.out
    assert "±" in captured.out
    assert captured.err == ""


def test_several_metrics_are_all_measured(capsys):
    assert main(["measure", *NET, "--metric", "ntk", "--metric", "fim", "--trials", "2", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [p["metric"]["family"] for p in printed] == ["ntk", "fim", "ntk", "fim"]
    assert printed[0]["provenance"]["seed"] == printed[1]["provenance"]["seed"]
    assert main(["measure", *NET, "--metric", "ntk", "--metric", "fim"]) == 0
    assert capsys.readouterr().out.count("1 network(s)") == 2


def test_inputs_come_from_a_file(tmp_path, capsys):
    given = np.random.default_rng(0).standard_normal((6, 10))
    np.save(tmp_path / "x.npy", given)
    place = NET.index("--samples")
    asked = ["measure", *NET[:place], *NET[place + 2 :], "--inputs", str(tmp_path / "x.npy")]
    assert main([*asked, "--json"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    expected = measure(Network(3, "tanh", 3.0, 0.64, 2), "fim", width=10, inputs=given, spectrum="extremes")
    assert (printed["mean"], printed["samples"]) == (expected.mean, 6)
    (tmp_path / "x.npy").write_text("no array")
    assert main(asked) == 2
    assert capsys.readouterr().err.startswith("empirical: inputs: expected a .npy file of numbers, got ")


def test_networks_measured_before_one_that_overflows_are_shown(monkeypatch, capsys):
    import empirical.measurement

    true, calls = empirical.measurement.measure, []

    def third_overflows(*args, **options):
        calls.append(options["seed"])
        if len(calls) == 3:
            raise ArithmeticError("dual matrix: overflow")
        return true(*args, **options)

    monkeypatch.setattr(empirical.measurement, "measure", third_overflows)
    assert main(["measure", *NET, "--trials", "4", "--json"]) == 1
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 2
    assert captured.err == "empirical: dual matrix: overflow\n"


def test_doctor_lists_every_backend(capsys):
    assert main(["doctor", "--json"]) == 0
    found = {p["backend"]: p["code"] for p in json.loads(capsys.readouterr().out)}
    assert found["numpy"] == "ok"
    assert set(found) == {"numpy", "torch", "torch:cuda", "cupy"}
    assert main(["doctor"]) == 0
    assert "numpy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["measure", *NET, "--width", "0"], 2, "width: expected"),
        (["measure", *NET, "--backend", "jax"], 2, "backend: expected"),
        (["measure", *NET, "--trials", "0"], 2, "trials: expected"),
        (["measure", *NET, "--seed", "-1"], 2, "seed: expected"),
        (["measure", *NET, "--metric", "fisher"], 2, "metric: expected"),
        (["measure", *NET, "--colour"], 2, "--colour"),
        (["measure", *NET, "--activation", "exp", "--activation", "exp", "--weight-variance", "1e6"], 2, "activation"),
        (["weigh"], 2, "weigh"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, words, status, message):
    assert main(words) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_network_that_overflows_is_one_line_and_status_1(capsys):
    words = ["--activation", "exp", "--weight-variance", "1e4", "--depth", "4", "--width", "10", "--samples", "6"]
    assert main(["measure", *words]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("empirical: dual matrix: expected finite")
    assert captured.err.count("\n") == 1


def test_python_m_empirical():
    done = subprocess.run([sys.executable, "-m", "empirical", "doctor"], capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout
