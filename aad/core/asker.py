"""The source (client and place) for which a task works, for all that is shared out in turns (`aad.core.turns`).

It is no argument of the ports: a plugin is asked about a user, and need not know from where.
"""

from __future__ import annotations

from contextvars import ContextVar

from aad.core.turns import Source

NOBODY = Source("")
ASKER: ContextVar[Source] = ContextVar("asker", default=NOBODY)
"""Set by the engine, for the task that a front has made for one request."""
