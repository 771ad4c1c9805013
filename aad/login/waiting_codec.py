"""A waiting login as JSON, for the store, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aad.core.chain_choice import Choice
from aad.core.conversation import Login, Waiting
from aad.core.identity import User
from aad.core.outcome import Challenge
from aad.core.policy import Chain
from aad.ports import Method

_OF_A_LOGIN = (
    "reference",
    "name",
    "event",
    "client",
    "calling_station",
    "proven",
    "signed_in",
    "discreet",
    "decoy",
    "mark",
)


def encoded(waiting: Waiting) -> bytes:
    """Write a waiting login as JSON. Facts and proof belong to the request that is over."""
    login, user, challenge = waiting.login, waiting.login.user, waiting.challenge
    return json.dumps(
        {
            "login": {name: getattr(login, name) for name in _OF_A_LOGIN} | {"nonce": login.nonce.hex()},
            "user": {
                "name": user.name,
                "repository": user.repository,
                "handle": user.handle,
                "addresses": user.addresses,
                "groups": sorted(user.groups),
                "groups_are_dns": user.groups_are_dns,
                "language": user.language,
                "attributes": dict(user.attributes),
            },
            "chain": _chain_fields(login.chain),
            "others": [_chain_fields(other) for other in login.others],
            "choice": isinstance(challenge.memo, Choice),
            "position": waiting.position,
            "challenge": {
                "prompt": challenge.prompt,
                "memo": vars(challenge.memo),
                "expires": challenge.expires,
                "fresh_until": challenge.fresh_until,
                "because": challenge.because,
                "wrong": challenge.wrong,
                "values": dict(challenge.values),
            },
        }
    ).encode()


def decoded(content: bytes, methods: Mapping[str, Method[Any]]) -> Waiting | None:
    """Read what `encoded` wrote. None: by another version of aad, or by a configuration whose method is gone."""
    try:
        return _decoded(content, methods)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _decoded(content: bytes, methods: Mapping[str, Method[Any]]) -> Waiting | None:
    data = json.loads(content)
    chain, *others = (_chain(each) for each in (data["chain"], *data.get("others", ())))
    position = data["position"]
    if not {*chain.methods, *(name for other in others for name in other.methods)} <= methods.keys():
        return None
    kept_memo = data["challenge"]["memo"]
    memo = Choice if data.get("choice") else methods[chain.methods[position]].Memo
    user = data["user"]
    user = User(
        **{
            **user,
            "addresses": tuple(user["addresses"]),
            "groups": frozenset(user["groups"]),
            "attributes": {name: tuple(values) for name, values in user.get("attributes", {}).items()},
        }
    )
    login = Login(
        **{**data["login"], "nonce": bytes.fromhex(data["login"]["nonce"])},
        user=user,
        chain=chain,
        others=tuple(others),
    )
    challenge: Challenge[Any] = Challenge(**{**data["challenge"], "memo": memo(**kept_memo)})
    return Waiting(login=login, position=position, challenge=challenge)


def _chain_fields(chain: Chain) -> dict[str, Any]:
    # For whom it is was decided when the login began.
    return {"name": chain.name, "methods": chain.methods, "short_name": chain.short_name}


def _chain(kept: Mapping[str, Any]) -> Chain:
    return Chain(**{**kept, "methods": tuple(kept["methods"])})
