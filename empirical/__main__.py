"""``python -m empirical``, and the command ``empirical``."""

from meanfield.commands.start import start


def main() -> int:
    """Run ``empirical`` and return its exit status."""
    return start("empirical", "empirical.cli")


if __name__ == "__main__":
    raise SystemExit(main())
