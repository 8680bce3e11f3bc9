"""How the records check their fields: the value in its own type, or a sentence with field, expected and got."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import operator
import sys
from collections.abc import Iterable, Mapping, Set
from typing import Any, SupportsFloat, SupportsIndex, cast

__all__ = [
    "LARGEST", "MOST", "POSITIVE", "ascending", "bracketed", "digest", "integer", "number", "numbers", "one_line",
    "per_layer", "positive_integer", "scalar", "shown", "table", "units",
]  # fmt: skip

POSITIVE = sys.float_info.min
"""The least number above zero, as a ``minimum``."""

_ARRAYS = 2**62  # an integer that arrays hold, with room for a sum

MOST = {
    "depth": 10_000,
    "outputs": 10**6,
    "width": _ARRAYS,  # theory asks for widths without end; what is measured is held against the memory there is
    "samples": _ARRAYS,
    "trials": 10**7,
    "networks": 10**12,
}
"""The most that a size may be, by its field."""

LARGEST = 1e30
"""The largest number that is taken: variances and ratios beyond it overflow in the first products."""


def digest(plain: object) -> str:
    """SHA-256 (hex) of JSON-ready plain data, in a canonical spelling."""
    spelled = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(spelled.encode()).hexdigest()


def positive_integer(field: str, value: object) -> int:
    """``value`` as an ``int`` of at least 1 and no more than the field may be, or an error that names ``field``."""
    return integer(field, value, 1, MOST.get(field))


def integer(field: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """``value`` as an ``int`` of at least ``minimum``, or an error that names ``field``."""
    try:
        value = scalar(value)
        if isinstance(value, bool):
            raise TypeError
        found = operator.index(cast(SupportsIndex, value))
    except TypeError:
        raise TypeError(f"{field}: expected an integer, got {value!r}") from None
    if found < minimum:
        raise ValueError(f"{field}: expected an integer of at least {minimum}, got {shown(found)}")
    if maximum is not None and found > maximum:
        raise ValueError(f"{field}: expected an integer of at most {maximum}, got {shown(found)}")
    return found


def shown(value: int) -> str:
    """An integer as a sentence can hold it."""
    return str(value) if abs(value) < 10**30 else f"one of {value.bit_length()} bits"


def scalar(value: object) -> object:
    """What a 0-dimensional array or tensor holds; anything else as it is."""
    item = getattr(value, "item", None)
    return item() if getattr(value, "shape", None) == () and callable(item) else value


def number(field: str, value: object, minimum: float) -> float:
    """``value`` as a finite ``float`` of at least ``minimum``, or an error that names ``field``."""
    try:
        value = scalar(value)
        if isinstance(value, bool | str):
            raise TypeError
        found = float(cast(SupportsFloat, value))
    except (TypeError, ValueError):
        raise TypeError(f"{field}: expected a number, got {value!r}") from None
    except OverflowError:  # an integer of hundreds of digits
        found = math.inf
    if math.isfinite(found) and found > LARGEST:
        raise ValueError(f"{field}: expected a number of at most {LARGEST:g}, got {found!r}")
    if not (math.isfinite(found) and found >= minimum):
        wanted = "a positive finite number" if minimum == POSITIVE else f"a finite number of at least {minimum:g}"
        raise ValueError(f"{field}: expected {wanted}, got {found!r}")
    return found


def numbers(field: str, value: object, length: int, minimum: float) -> tuple[float, ...]:
    """Numbers spread over ``length`` layers, each checked as by :func:`number`."""
    return tuple(number(field, v, minimum) for v in per_layer(field, value, length))


def per_layer(field: str, value: object, length: int) -> tuple[object, ...]:
    """One value spread over ``length`` layers, or the given sequence if it has that length."""
    value = scalar(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return (value,) * length
    if isinstance(value, Set | Mapping):
        raise TypeError(f"{field}: expected one value or a sequence, got {type(value).__name__}, which has no order")
    values = tuple(cast(Iterable[object], value))
    if len(values) != length:
        if length == 1:
            raise ValueError(f"{field}: expected one value, got {len(values)}")
        raise ValueError(
            f"{field}: expected one value by itself or a sequence of {length} (one per layer), got one of {len(values)}"
        )
    return values


def one_line(field: str, name: object) -> None:
    """Raise ``ValueError`` unless ``name`` is a printable line that says something."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError(f"{field}: expected a name of one line, got {name!r}")


def ascending(field: str, points: Iterable[float]) -> tuple[float, ...]:
    """Finite breakpoints, each above the one before."""
    found = tuple(float(x) for x in points)
    if not all(map(math.isfinite, found)) or any(b <= a for a, b in itertools.pairwise(found)):
        raise ValueError(f"{field}: expected finite breakpoints that ascend, got {list(found)}")
    return found


def bracketed(name: str, given: str | None, defaults: dict[str, float]) -> dict[str, float]:
    """The numbers in an activation's brackets by name, with ``defaults`` for those left out."""
    words = [w for w in (given or "").split(",") if w.strip()]
    try:
        numbers = [float(w) for w in words]
    except ValueError:
        numbers = [math.nan]
    if len(numbers) > len(defaults) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"activation: expected at most {len(defaults)} finite numbers in the brackets, got {name!r}")
    return dict(zip(defaults, [*numbers, *list(defaults.values())[len(numbers) :]], strict=True))


def table(field: str, value: object, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """``value`` as a table of these keys, or an error that names ``field``, or ``field`` and the key."""
    needed, allowed = [*required], [*required, *optional]
    if not isinstance(value, Mapping):
        raise TypeError(f"{field}: expected a table, got {value!r:.60}")
    missing, unknown = [k for k in needed if k not in value], [k for k in value if k not in allowed]
    if missing or unknown:
        got = f"no {missing[0]!r}" if missing else repr(unknown[0])
        raise ValueError(f"{field}: expected the keys {', '.join(allowed)}, got {got}")
    return dict(value)


def units(layer: int, ratio: float, width: int) -> int:
    """M_l = α_l M, or an error if that is no positive integer."""
    exact = ratio * width
    # A ratio such as 1/3 is not a binary fraction: 1/3 * 300 must count as 100.
    nearest = round(exact)
    if nearest < 1 or abs(exact - nearest) > 1e-9 * exact:
        raise ValueError(
            f"width: expected α_{layer} * width to be a positive integer, got {ratio:g} * {width} = {exact:g}"
        )
    return nearest
