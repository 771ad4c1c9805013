"""[clients.*] -> the Clients that the RADIUS server finds by address."""

from __future__ import annotations

from aad.config import Config
from aad.radius.clients import Client, Clients
from aad.radius.password_with_code import OneField
from aad.radius.prompt_encoding import Wording
from aad.radius.protocol.user_address import UserAddressAttribute


def clients(config: Config) -> Clients:
    """Return all clients of a configuration."""
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
                address_attribute=_address_attribute(config, client.event, client.address_attribute),
            )
            for name, client in config.clients.items()
        ]
    )


def _address_attribute(config: Config, event: str, attribute: str) -> UserAddressAttribute | None:
    """Return the attribute of a client's requests with the user's address; None: no chain of its event needs it."""
    if not any(config.chains[chain].networks for chain in config.events[event].chains):
        return None
    found: UserAddressAttribute = (
        config.dictionary.address_attribute(attribute) if config.dictionary else UserAddressAttribute()
    )
    return found
