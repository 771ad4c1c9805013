"""The clients of RADIUS as the configuration has them."""

from __future__ import annotations

from aad.config import Config
from aad.radius.clients import Client, Clients
from aad.radius.password_with_code import OneField
from aad.radius.prompt_encoding import Wording
from aad.radius.protocol.user_address import UserAddressAttribute


def clients(config: Config) -> Clients:
    """Return them all."""
    return Clients(
        [
            Client(
                name=name,
                networks=client.networks,
                secrets=client.secret,
                event=client.event,
                require_message_authenticator=client.require_message_authenticator,
                deadline=client.deadline,
                prompt_attribute=client.prompt_attribute,
                challenge=client.challenge,
                one_field=OneField(client.code_separator, client.code_length),
                wording=Wording(client.prompt, client.prompt_charset, client.prompt_limit),
                source=_source(config, client.event, client.address_attribute),
            )
            for name, client in config.clients.items()
        ]
    )


def _source(config: Config, event: str, attribute: str) -> UserAddressAttribute | None:
    """Return where a client's requests tell the user's address; None: no chain of its event asks for it."""
    if not any(config.chains[chain].networks for chain in config.events[event].chains):
        return None
    found: UserAddressAttribute = config.vocabulary.source(attribute) if config.vocabulary else UserAddressAttribute()
    return found
