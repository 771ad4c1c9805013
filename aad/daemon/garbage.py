"""Python's garbage collector, which stops the event loop while it looks: less often, and not at what stays anyway."""

from __future__ import annotations

import gc

_THRESHOLDS = 10_000, 20, 20  # new objects from one look to the next; Python's 700 makes three looks a login


def settle() -> None:
    """Look once, now that a configuration is in force, and never again at what is there from now on.

    What this was said of before is looked at once more: after a reload the old configuration goes, whose parts refer to
    each other.
    """
    gc.set_threshold(*_THRESHOLDS)
    gc.unfreeze()
    gc.collect()
    gc.freeze()
