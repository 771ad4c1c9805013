"""The numbers of RADIUS by their names in the RFCs, and the reasons for which a datagram is discarded."""

from __future__ import annotations

from enum import StrEnum

# Codes: RFC 2865 3, RFC 2866 3, RFC 5997 2.
ACCESS_REQUEST = 1
ACCESS_ACCEPT = 2
ACCESS_REJECT = 3
ACCOUNTING_REQUEST = 4
ACCOUNTING_RESPONSE = 5
ACCESS_CHALLENGE = 11
STATUS_SERVER = 12

# Attributes: RFC 2865 5, RFC 2866 5, RFC 2869 5, RFC 3162 2, RFC 6911 3.
USER_NAME = 1
USER_PASSWORD = 2
CHAP_PASSWORD = 3
NAS_IP_ADDRESS = 4
NAS_PORT = 5
SERVICE_TYPE = 6
FRAMED_IP_ADDRESS = 8
FILTER_ID = 11
REPLY_MESSAGE = 18
STATE = 24
CLASS = 25
VENDOR_SPECIFIC = 26
SESSION_TIMEOUT = 27
CALLED_STATION_ID = 30
CALLING_STATION_ID = 31
NAS_IDENTIFIER = 32
PROXY_STATE = 33
ACCT_STATUS_TYPE = 40
ACCT_DELAY_TIME = 41
ACCT_INPUT_OCTETS = 42
ACCT_OUTPUT_OCTETS = 43
ACCT_SESSION_ID = 44
ACCT_SESSION_TIME = 46
ACCT_INPUT_PACKETS = 47
ACCT_OUTPUT_PACKETS = 48
ACCT_TERMINATE_CAUSE = 49
ACCT_INPUT_GIGAWORDS = 52
ACCT_OUTPUT_GIGAWORDS = 53
CHAP_CHALLENGE = 60
NAS_PORT_TYPE = 61
ARAP_PASSWORD = 70
PROMPT = 76
EAP_MESSAGE = 79
MESSAGE_AUTHENTICATOR = 80
NAS_IPV6_ADDRESS = 95
FRAMED_IPV6_ADDRESS = 168

TUNNEL_PASSWORD = 69

# Not for an Access-Accept (RFC 2865 5.44, RFC 2866 5.13, RFC 2869 5.19), or that aad sets itself.
NOT_IN_REPLIES = frozenset(
    {
        *(USER_PASSWORD, CHAP_PASSWORD, NAS_IP_ADDRESS, NAS_PORT, STATE, VENDOR_SPECIFIC),
        *(CALLED_STATION_ID, CALLING_STATION_ID, NAS_IDENTIFIER, PROXY_STATE, CHAP_CHALLENGE, NAS_PORT_TYPE),
        *range(40, 56),  # Acct-*
        *(ARAP_PASSWORD, PROMPT, EAP_MESSAGE, MESSAGE_AUTHENTICATOR, NAS_IPV6_ADDRESS),
        # Acct-Tunnel-Connection, Connect-Info, Acct-Tunnel-Packets-Lost, NAS-Port-Id, Error-Cause
        *(68, 77, 86, 87, 101),
    }
)

# Values: RFC 5176 3.1 (Service-Type), RFC 2869 5.10 (Prompt).
AUTHORIZE_ONLY = (17).to_bytes(4, "big")
NO_ECHO = (0).to_bytes(4, "big")
ECHO = (1).to_bytes(4, "big")

# Attributes of the vendor Microsoft: RFC 2548 2.
MICROSOFT = 311
MS_CHAP_RESPONSE = 1
MS_CHAP_CHALLENGE = 11
MS_CHAP2_RESPONSE = 25
MS_CHAP2_SUCCESS = 26


class Flaw(StrEnum):
    """The reasons for which a datagram is discarded: fixed phrases, which quote no octet of it."""

    SHORT = "shorter than a header"
    LENGTH_SMALL = "Length below 20"
    LENGTH_LARGE = "Length above 4096"
    TRUNCATED = "shorter than its Length"
    ATTRIBUTE_LENGTH = "an attribute shorter than 2 octets"
    ATTRIBUTE_OVERRUN = "an attribute that runs over the end"
    ATTRIBUTE_ZERO = "an attribute of type 0"
    ATTRIBUTES_MANY = "more than 200 attributes"
    SIGNATURE_LENGTH = "a Message-Authenticator of another length than 18"
    SIGNATURE_TWICE = "two Message-Authenticators"
    NO_REQUEST = "neither Access-Request nor Status-Server"
    NO_ACCOUNTING = "neither Accounting-Request nor Status-Server"
    NO_STATUS_TYPE = "an Accounting-Request without a usable Acct-Status-Type"
    WRONG_REQUEST_AUTHENTICATOR = "wrong Request Authenticator: the shared secret differs from the client's"
    EAP_BESIDE_PASSWORD = "EAP-Message beside a password"  # noqa: S105 - a phrase
    EAP_UNSIGNED = "EAP-Message without Message-Authenticator"
    STATUS_UNSIGNED = "Status-Server without Message-Authenticator"
    NO_ROOM = "so much Proxy-State that no reply has room for it"
    UNSIGNED = (
        "no Message-Authenticator, so anybody could have forged it: let the NAS send one, or, if it can't and its "
        "network is trusted, set require_message_authenticator = false for this client"
    )
    UNSIGNED_PROXY = "Proxy-State without Message-Authenticator"
    WRONG_SIGNATURE = "wrong Message-Authenticator: the shared secret differs from the client's"
    OTHER_IDENTIFIER = "an answer to another request"
    WRONG_AUTHENTICATOR = "wrong Response Authenticator"
    NO_REPLY = "neither Access-Accept, -Reject nor -Challenge"
