"""What the command lines share: a network's options, and how a command ends.

Bad input is one line on stderr for each error, and status 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from meanfield.files import Ours
from meanfield.spec import Network

__all__ = [
    "Activations", "BiasVariances", "Force", "WeightVariances", "WidthRatios", "network_of", "one_or_all", "pictures",
    "run_app", "spelled",
]  # fmt: skip

# A network's options, as every command spells them.
Activations = Annotated[
    list[str], typer.Option("--activation", help="A registered name; once, or once per hidden layer.")
]
WeightVariances = Annotated[list[float], typer.Option("--weight-variance", help="σ_w²; once, or once per layer.")]
BiasVariances = Annotated[list[float], typer.Option("--bias-variance", help="σ_b²; once, or once per layer.")]
WidthRatios = Annotated[list[float], typer.Option("--width-ratio", help="α_0..α_{L-1}; all 1 if not given.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def network_of(
    depth: int,
    activation: Sequence[str],
    weight_variance: Sequence[float],
    bias_variance: Sequence[float],
    outputs: int,
    width_ratio: Sequence[float],
) -> Network:
    """The network of these options: an option given once holds for all layers."""
    ratios = width_ratio or None
    return Network(
        depth, one_or_all(activation), one_or_all(weight_variance), one_or_all(bias_variance), outputs, ratios
    )


def one_or_all(values: Sequence[Any]) -> Any:
    """What was given once as itself, else all."""
    return values[0] if len(values) == 1 else values


def pictures() -> Ours:
    """A figure of ours may be drawn anew over the last one."""
    from meanfield.figures.saving import is_picture

    return is_picture


def spelled(value: Any) -> str:
    """Plain data as JSON; a terminal that isn't one of Unicode gets escapes, so that nothing is lost."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")
    return json.dumps(value, ensure_ascii=not unicode)


def run_app(application: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a typer application and return its exit status: 2 after bad input, 130 after Ctrl-C, else the command's.

    A command returns its status or nothing (0), and may raise ``typer.Abort`` with what to say after Ctrl-C.
    ``ValueError``, ``TypeError`` and ``OSError`` count as bad input: the libraries raise them with one sentence that
    names the field, what was expected and what came.
    """
    command = typer.main.get_command(application)
    words = None if arguments is None else list(arguments)
    try:
        status = command.main(args=words, prog_name=name, standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt) as stop:
        return _complain(name, str(stop) or "interrupted", 130)
    except (ValueError, TypeError, OSError) as error:
        return _complain(name, str(error), 2)
    except MemoryError as error:
        return _complain(name, f"expected a question that fits into memory, got one that doesn't ({error})", 2)
    except Exception as error:
        # Usage errors: typer carries its own copy of click in some versions and not in others, but all can say this.
        if not hasattr(error, "format_message"):
            raise
        return _complain(name, error.format_message() or "expected a command; see --help", 2)
    if status == 130:  # what typer makes of Ctrl-C, without a word
        return _complain(name, "interrupted", 130)
    return status if isinstance(status, int) else 0


def _complain(name: str, message: str, status: int) -> int:
    for line in message.splitlines() or [""]:
        print(f"{name}: {' '.join(line.split())}", file=sys.stderr)
    return status
