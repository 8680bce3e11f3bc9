"""``python -m verify``, and the command ``verify``."""

from meanfield.commands.start import start


def main() -> int:
    """Run ``verify`` and return its exit status."""
    return start("verify", "verify.cli")


if __name__ == "__main__":
    raise SystemExit(main())
