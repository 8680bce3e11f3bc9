"""The sweeps that come with the library; a module of its own so that the command line can name them at once."""

from __future__ import annotations

from importlib import resources

__all__ = ["NAME", "preset_names"]

NAME = r"^\w[\w.-]*$"
"""What a sweep may be called."""


def preset_names() -> tuple[str, ...]:
    """The names of the sweeps that come with the library, in alphabetical order."""
    files = resources.files("verify").joinpath("sweeps").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))
