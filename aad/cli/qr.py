"""A QR code in the terminal. The door to segno."""

from __future__ import annotations

import io

from aad.core.secret import Secret


def drawn(text: Secret) -> str:
    """Draw a QR code, two modules a character. ImportError: segno isn't installed."""
    import segno  # noqa: PLC0415 - only who enrols needs it

    out = io.StringIO()
    segno.make_qr(text.text(), error="m").terminal(out, border=2, compact=True)
    return out.getvalue()
