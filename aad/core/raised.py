"""An exception as it may stand in a log."""

from __future__ import annotations

import traceback


def raised(error: BaseException) -> str:
    """Say what was raised, and where; not its text, in which a password may be."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where
