"""Which version of the distribution this is; its three packages have one."""

from __future__ import annotations

__all__ = ["version"]


def version() -> str:
    """That of the installed distribution; "unknown" where the packages lie on the path without one."""
    from importlib import metadata

    try:
        return metadata.version("meanfield-spectra")
    except metadata.PackageNotFoundError:
        return "unknown"
