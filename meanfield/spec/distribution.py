"""What this library is called where it is installed from; its packages are meanfield, empirical and verify."""

from __future__ import annotations

from importlib import metadata

__all__ = ["DISTRIBUTION", "distribution_version", "installing"]

DISTRIBUTION = "meanfield-spectra"
"""`meanfield` on the package index is somebody else's."""


def distribution_version() -> str:
    """The version that is installed; "not installed" where the packages run from their folder alone."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "not installed"


def installing(extra: str) -> str:
    """The command that installs an extra, for messages."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
