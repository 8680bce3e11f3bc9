"""How much memory this process can still take."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_bytes"]

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Bytes that can be taken without swapping: the kernel's estimate, cut to the limit of a container."""
    return min(_machine(), _container())


def _machine() -> int:
    if _MEMINFO.exists():
        rows = (line.split(":") for line in _MEMINFO.read_text().splitlines())
        return int(dict(rows)["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2  # no estimate: half of all there is


def _container() -> int:
    limit, used = _CGROUP / "memory.max", _CGROUP / "memory.current"
    if not (limit.exists() and used.exists()) or limit.read_text().strip() == "max":
        return 2**62
    return max(int(limit.read_text()) - int(used.read_text()), 0)
