"""``python -m meanfield``, and the command ``meanfield``."""

from meanfield.commands.start import start


def main() -> int:
    """Run ``meanfield`` and return its exit status."""
    return start("meanfield", "meanfield.commands.cli")


if __name__ == "__main__":
    raise SystemExit(main())
