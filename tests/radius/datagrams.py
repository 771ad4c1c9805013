"""Datagrams to test with: well-formed ones of any content, unsigned; and what hypothesis makes them of."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from aad.core.secret import Secret
from aad.radius.protocol.constants import ACCESS_REQUEST, EAP_MESSAGE, MESSAGE_AUTHENTICATOR, VENDOR_SPECIFIC
from aad.radius.protocol.wire import Attribute

SECRET = Secret(b"a secret that two share")
VECTOR = bytes(range(16))
BLANK = (MESSAGE_AUTHENTICATOR, bytes(16))

octets = st.binary(max_size=253)
plain_types = st.integers(1, 255).filter(lambda kind: kind not in {MESSAGE_AUTHENTICATOR, EAP_MESSAGE, VENDOR_SPECIFIC})
attributes_of_any_type = st.lists(st.tuples(plain_types, octets), max_size=12)
secrets = st.binary(min_size=1, max_size=80).map(Secret)


def unsigned(*attributes: Attribute, code: int = ACCESS_REQUEST) -> bytes:
    body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in attributes)
    return struct.pack("!BBH16s", code, 7, 20 + len(body), VECTOR) + body
