"""`python -m aad` is `aad`."""

from aad.cli import main

raise SystemExit(main())
