"""Finite-width theory by its prototype: tests/generators/finite_width.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sympy

from meanfield import Network
from meanfield.spec import as_metric

CASES = json.loads((Path(__file__).parents[2] / "data" / "finite_width.json").read_text())["cases"]


def label(case: dict[str, Any]) -> str:
    layer = case["metric"].get("layer", "")
    return f"{case['activation']}-L{len(case['widths']) - 1}-{case['metric']['family']}{layer}-{case['data']}"


def question(case: dict[str, Any]) -> tuple[Network, Any, int]:
    """Network, metric and width that ask what the prototype was asked."""
    u = sympy.Symbol("u")
    activation = sympy.erf(u / sympy.sqrt(2)) if case["activation"] == "erf" else case["activation"]
    *widths, outputs = case["widths"]
    network = Network(
        len(widths), activation, case["weight_variance"], case["bias_variance"], outputs=outputs,
        width_ratios=[m / widths[0] for m in widths],
    )  # fmt: skip
    return network, as_metric(case["metric"]), widths[0]


@pytest.fixture(params=CASES, ids=label)
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def asked(case: dict[str, Any]) -> tuple[Network, Any, int]:
    return question(case)
