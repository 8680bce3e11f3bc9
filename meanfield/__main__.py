"""``python -m meanfield``."""

from meanfield.cli import main

raise SystemExit(main())
