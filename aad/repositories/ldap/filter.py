"""Search filters (RFC 4515) as octets. The only door to ldap3: its types and errors stop here."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():  # ldap3 2.9.1 calls pyasn1 by names of long ago
    warnings.simplefilter("ignore", DeprecationWarning)
    from ldap3.core.exceptions import LDAPException
    from ldap3.operation.search import compile_filter, parse_filter
    from ldap3.utils.asn1 import encode
    from pyasn1.error import PyAsn1Error


def compiled(filter_: str) -> bytes:
    """Return a search filter as octets (BER). ValueError: it is no filter."""
    try:
        root = parse_filter(filter_, None, False, False, None, False).elements[0]
        octets: bytes = encode(compile_filter(root))
    except (LDAPException, AttributeError, IndexError, PyAsn1Error) as error:
        message = "no search filter"
        raise ValueError(message) from error
    return octets
