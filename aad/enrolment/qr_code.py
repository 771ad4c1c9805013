"""QR codes: for a terminal, and as SVG for a page. The door to segno."""

from __future__ import annotations

import io
from typing import Any

from aad.core.secret import Secret


def drawn(text: Secret) -> str:
    """Draw a QR code, two modules a character. ImportError: segno isn't installed."""
    out = io.StringIO()
    _made(text).terminal(out, border=2, compact=True)
    return out.getvalue()


def svg(text: Secret) -> str:
    """Return a QR code as an SVG element, dark on light whatever the page, without a style of its own. ImportError."""
    element: str = _made(text).svg_inline(
        border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None, omitsize=True
    )
    return element


def _made(text: Secret) -> Any:
    import segno  # noqa: PLC0415 - only enrolment needs it

    return segno.make_qr(text.text(), error="m")
