"""Where the trials of a sweep run, the table ``[engine]``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictInt, model_validator

from meanfield.spec.checks import shown
from verify.asking.points import Table

__all__ = ["Engine", "checked_address", "checked_jobs"]

MOST_JOBS = 10_000
_ADDRESS = r"(\w+://)?[^\s/:]+:\d{1,5}|\w+://\S+"  # of a Dask scheduler, in any of its protocols


def checked_jobs(jobs: int) -> int:
    """``jobs``, or a ``ValueError`` or ``TypeError`` if it is no number of workers."""
    if not isinstance(jobs, int) or isinstance(jobs, bool):
        raise TypeError(f"jobs: expected -1 (one worker for each processor) or a positive whole number, got {jobs!r}")
    if jobs < -1 or jobs == 0:
        raise ValueError(f"jobs: expected -1 (one worker for each processor) or a positive number, got {shown(jobs)}")
    if jobs > MOST_JOBS:
        raise ValueError(f"jobs: expected at most {MOST_JOBS} workers, got {shown(jobs)}")
    return jobs


def checked_address(field: str, address: str) -> str:
    """``address``, or a ``ValueError`` if no Dask scheduler can have it."""
    if not re.fullmatch(_ADDRESS, address):
        raise ValueError(f"{field}: expected the address of a scheduler, such as tcp://host:8786, got {address!r}")
    return address


class Engine(Table):
    """Where trials run. ``jobs = -1`` is one worker a processor; a trial that fails is tried ``retries`` times more.

    ``address`` is that of a Dask scheduler, for ``kind = "dask"``.
    """

    kind: Literal["local", "dask"] = "local"
    address: str | None = None
    jobs: Annotated[StrictInt, AfterValidator(checked_jobs)] = -1
    retries: Annotated[StrictInt, Field(ge=0, le=1000)] = 1

    @model_validator(mode="after")
    def _reachable(self) -> Engine:
        if self.address is not None:
            checked_address("address", self.address)
        if (self.kind == "dask") != (self.address is not None):
            raise ValueError(f"address: expected it for kind dask and for no other, got {self.address!r}")
        return self
