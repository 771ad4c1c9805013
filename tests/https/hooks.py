"""A hook for schemathesis: each request gets an Idempotency-Key of its own."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Make a key that is right one of this request alone; a wrong one stays wrong."""
    for name, value in (case.headers or {}).items():
        if name.lower() == "idempotency-key" and isinstance(value, str) and re.fullmatch("[!#-~]{1,128}", value):
            case.headers[name] = uuid.uuid4().hex
