"""A hook for schemathesis: an Idempotency-Key is for one request alone, and a wrong one is wrong to the server too."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

RIGHT = "[!#-~]{1,128}"


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Make a right key one of this request alone.

    The document's pattern refuses quotes and blanks around a key; the server takes them, since the draft wants the
    quotes and HTTP strips the blanks. Such a key becomes an empty one, which is wrong for both.
    """
    for name, value in (case.headers or {}).items():
        if name.lower() == "idempotency-key" and isinstance(value, str):
            if re.fullmatch(RIGHT, value):
                case.headers[name] = uuid.uuid4().hex
            elif re.fullmatch(rf'\s*"?{RIGHT}"?\s*', value):
                case.headers[name] = '""'
