"""``python -m empirical``."""

from empirical.cli import main

raise SystemExit(main())
