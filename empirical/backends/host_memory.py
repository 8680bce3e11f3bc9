"""How much memory this process can still take."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_bytes"]

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def available_bytes() -> int:
    """Bytes that can be taken without swapping: the kernel's estimate, cut to the limit of a container."""
    return min(_machine(), _container())


def _machine() -> int:
    if _MEMINFO.exists():
        rows = (line.split(":") for line in _MEMINFO.read_text().splitlines())
        return int(dict(rows)["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2  # no estimate: half of all there is


def _container() -> int:
    """The least that a control group of this process, or one around it, leaves: version 2, or the memory controller of
    version 1. Pages of files that nobody uses count as free: the kernel drops them first."""
    if not _OWN.exists():
        return 2**62
    left = [2**62]
    for line in _OWN.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, limit, used = (
            (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else (_CGROUP, "memory.max", "memory.current")
        )
        own = root / path.strip("/")
        # In a container the path may be the host's, and the group itself is mounted at the root.
        for group in (root, *(g for g in (own, *own.parents) if root in g.parents)):
            left.append(_left(group, limit, used))
    return min(left)


def _left(group: Path, limit: str, used: str) -> int:
    try:
        most = (group / limit).read_text().strip()
        if most == "max":
            return 2**62
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        unused = int(statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))
        return max(int(most) - int((group / used).read_text()) + unused, 0)
    except FileNotFoundError:
        return 2**62
