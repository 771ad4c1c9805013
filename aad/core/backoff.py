"""The pause before a back end that failed is tried again: it doubles, up to a limit."""

from __future__ import annotations

FIRST, LONGEST = 0.5, 3.0  # seconds: back in use soon after its return, and not asked without end


def longer(pause: float) -> float:
    """Return the pause that follows `pause` (0: the first one), in seconds."""
    return min(max(FIRST, 2 * pause), LONGEST)
