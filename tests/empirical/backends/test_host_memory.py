"""The limits of containers, from files that look like the kernel's."""

import pytest

from empirical.backends import host_memory


def group(folder, limit, used, unused, version=2):
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {unused}\n")


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """(the control groups' root, a function that says which group this process is in)."""
    monkeypatch.setattr(host_memory, "_CGROUP", tmp_path / "groups")
    monkeypatch.setattr(host_memory, "_OWN", tmp_path / "own")
    monkeypatch.setattr(host_memory, "_machine", lambda: 10**9)
    return tmp_path / "groups", (tmp_path / "own").write_text


def test_no_groups_no_limit(kernel):
    assert host_memory.available_bytes() == 10**9


def test_the_tightest_of_nested_groups_counts(kernel):
    root, own = kernel
    own("0::/outer/inner\n")
    group(root / "outer", 5000, 3000, 700)
    group(root / "outer/inner", "max", 100, 0)
    assert host_memory.available_bytes() == 2700  # unused file pages count as free
    group(root / "outer/inner", 1000, 400, 0)
    assert host_memory.available_bytes() == 600


def test_a_group_mounted_at_the_root(kernel):
    root, own = kernel
    own("0::/kubepods/elsewhere\n")
    group(root, 5000, 6000, 0)
    assert host_memory.available_bytes() == 0


def test_version_1(kernel):
    root, own = kernel
    own("5:cpu,cpuacct:/job\n4:memory:/job\n")
    group(root / "memory/job", 5000, 3000, 500, version=1)
    assert host_memory.available_bytes() == 2500
