"""``python -m meanfield``."""

from meanfield.commands.cli import main

raise SystemExit(main())
