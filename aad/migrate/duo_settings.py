"""Why a key of authproxy.cfg can't be carried over, and what to do instead."""

from __future__ import annotations

import re

_CLOUD = "no cloud is asked: aad makes the code and mails it"
_OURS = "aad logs to the journal, and says with every refusal why: aad log"
_REPLY = "no attributes are passed on from the server that checks the password"
_EXEMPT = "nobody is exempt from the second factor; for other users make another chain, by groups"
_NO_FAIL_OPEN = (
    "there is no letting in on the password alone: when mail or directory is out of order, the NAS asks its next "
    "server ([radius] on_unavailable)"
)
_TLS = "TLS is always verified, chain and name, and never older than 1.2"
_TYPED = "the password is typed first, and the code as the answer to a challenge"
_BIND = "passwords are checked by a simple bind as the user"
_WHY = (
    (r"ikey|skey(_protected)?|api_host|api_.*|client_ip_attr|http_proxy.*", _CLOUD),
    (r"failmode", _NO_FAIL_OPEN),
    (r"exempt_.*", _EXEMPT),
    (r"pass_through_.*|pw_codec", _REPLY),
    (r"factors|prompts|prompt.*|delimi.*|allow_concat|concat.*|enroll.*", _TYPED),
    (r"ssl_verify_.*|minimum_tls.*|cipher_.*|ssl_.*", _TLS),
    (r"auth_type|ntlm.*|domain|workstation", _BIND),
    (r"debug|log_.*|test_connectivity.*|sensitive.*|interval.*", _OURS),
    (
        r"at_attribute|alias.*",
        "the user has the one name in user_filter; write an or-filter there: (|(a={name})(b={name}))",
    ),
    (
        r"timeout|.*_timeout|retries|retry.*",
        "how long a server may take: timeout of the repository, deadline of the client",
    ),
)
SECTIONS = {
    "main": _OURS,
    "cloud": "no directory is synchronized: the repository is asked at every login",
    "sso": "single sign-on isn't served",
    "http_proxy": "no HTTP is passed on",
    "ldap_server_auto": "LDAP isn't served: let the application ask over RADIUS, or leave it with another server",
    "radius_server_eap": "EAP isn't served: let the client use PAP (inside of TLS or IPsec) or MS-CHAPv2",
    "radius_client": "passwords are checked by a repository, not by another RADIUS server: name its directory below",
    "duo_only_client": "the password is always checked, lest anybody who knows a name has mails sent",
}
SERVERS = {
    "radius_server_auto": "Duo called the user's telephone; aad mails him a code, and the NAS has to ask for it",
    "radius_server_challenge": "",
    "radius_server_concat": "the first try, with the password alone, is refused and has the code mailed; the second "
    "has password and code in one field",
    "radius_server_duo_only": "Duo checked no password; aad does, lest anybody who knows a name has mails sent",
    "radius_server_iframe": "there is no page of Duo's in the NAS's own: it has to ask for the code (Access-Challenge)",
}


def why(key: str) -> str:
    """Return why `key` isn't carried over."""
    return next((words for pattern, words in _WHY if re.fullmatch(pattern, key)), "there is no such thing in aad")
