"""What the command lines share: a network's options, and how a command ends.

Bad input is one line on stderr for each error, and status 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

import typer

from meanfield.files import Ours
from meanfield.spec import Network

__all__ = [
    "Activations", "BiasVariances", "Force", "WeightVariances", "WidthRatios", "application", "listed", "network_of",
    "one_or_all", "pictures", "run_app", "spelled",
]  # fmt: skip

T = TypeVar("T")

_LIST = "<numbers>"

# A network's options, as every command spells them.
Activations = Annotated[
    list[str], typer.Option("--activation", help="A name or an expression in u; once, or once per hidden layer.")
]
WeightVariances = Annotated[
    list[str], typer.Option("--weight-variance", help="σ_w²: a number, or one per layer: 3,2,1.", metavar=_LIST)
]
BiasVariances = Annotated[
    list[str], typer.Option("--bias-variance", help="σ_b²: a number, or one per layer.", metavar=_LIST)
]
WidthRatios = Annotated[
    list[str], typer.Option("--width-ratio", help="α_0..α_{L-1}; all 1 if not given.", metavar=_LIST)
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def _tell(context: typer.Context, asked: bool) -> None:
    from meanfield.version import version

    if asked:
        typer.echo(f"{context.find_root().info_name} {version()}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_tell)]


def application(purpose: str) -> typer.Typer:
    """A command of ours: without arguments it prints its help, with ``--version`` the version."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, help=purpose)

    @app.callback()
    def begin(version: Version = False) -> None: ...

    return app


def network_of(
    depth: int,
    activation: Sequence[str],
    weight_variance: Sequence[str],
    bias_variance: Sequence[str],
    outputs: int,
    width_ratio: Sequence[str],
) -> Network:
    """The network of these options: an option given once holds for all layers."""
    weights, biases, ratios = (
        one_or_all(listed(name, values, float))
        for name, values in (
            ("weight_variance", weight_variance), ("bias_variance", bias_variance), ("width_ratio", width_ratio or "1")
        )
    )  # fmt: skip
    return Network(depth, one_or_all(activation), weights, biases, outputs, ratios)


def listed(field: str, texts: Iterable[str], kind: Callable[[str], T]) -> list[T]:
    """What an option that may be given several times has in all, each time one value or several with commas between.

    Raises
    ------
    ValueError
        For a text that isn't one.
    """
    parts = [part.strip() for text in texts for part in str(text).split(",")]
    try:
        return [kind(part) for part in parts]
    except ValueError:
        expected = "integers" if kind is int else "numbers"
        raise ValueError(f"{field}: expected {expected} with commas between, got {','.join(parts)!r:.80}") from None


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
