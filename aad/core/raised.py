"""Describes an exception for the log, without its text."""

from __future__ import annotations

import traceback


def raised(error: BaseException) -> str:
    """Return an exception's type and where it was raised; not its text, in which a password may be."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where
