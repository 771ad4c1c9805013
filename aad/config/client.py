"""[clients.NAME] of aad.toml: each key, its default and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aad.core import macros
from aad.core.secret import Secret
from aad.core.settings import Duration, option
from aad.core.user_address import network

SHORT_SECRET = 12  # octets; draft-ietf-radext-deprecating-radius wants more
CALLING_STATION = "Calling-Station-Id"


@dataclass(frozen=True, kw_only=True)
class Client:
    """[clients.NAME]: a NAS, or several alike."""

    networks: tuple[str, ...] = option(doc="Addresses or networks of the NAS; the longest prefix wins.")
    secret: tuple[Secret, ...] = option(doc="The shared secret; or a list, old and new, while it is being changed.")
    event: str = option(doc="The event its users log in for.", names="events")
    require_message_authenticator: bool = option(
        default=True, doc="false only for a NAS that can't send Message-Authenticator (pam_radius, ocserv)."
    )
    deadline: Duration = option(
        Duration(2.5), "How long this NAS waits for an answer; LDAP and SMTP share it.", at_least=0.1, at_most=60.0
    )
    prompt_attribute: str = option(
        "", 'Adds Prompt (RFC 2869 5.10) to a challenge: "no-echo" or "echo".', choices=("", "no-echo", "echo")
    )
    prompt: str = option("", "The prompt for a code in place of the method's own, for a NAS that needs fixed words.")
    prompt_charset: str = option(
        "utf-8", 'What it can show: "utf-8", or "ascii" (then é is sent as e).', choices=("utf-8", "ascii")
    )
    prompt_limit: int = option(250, "Octets of a prompt that it can show; more are cut.", at_least=20, at_most=250)
    challenge: bool = option(default=True, doc="false for a NAS that can't ask: password and code come in one field.")
    address_attribute: str = option(
        CALLING_STATION, "The attribute that holds the user's address, for chains with networks."
    )
    code_separator: str = option("", 'The separator of password and code in one field: "," for secret,123456.')
    code_length: int = option(
        0, "Without code_separator: how many digits at the end of the field are the code.", at_least=0, at_most=10
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """Check networks and secrets."""
        yield from networks_faults("networks", self.networks)
        if not self.networks:
            yield "networks", "should name at least one address or network"
        if not self.challenge and not self.code_separator and not self.code_length:
            yield "challenge", 'is false, so code_separator or code_length should say where the code is: ","'
        if not self.code_separator.isprintable() and not self.require_message_authenticator:
            yield (
                "code_separator",
                "should be printable: of a client that signs nothing, control characters are no text",
            )
        if self.code_separator and self.code_length:
            yield "code_length", "beside code_separator, should be left out"
        if not self.secret or not all(self.secret):
            yield "secret", "is empty: anyone who can reach the port could log in; make one with: aad make-secret"
        if wrong := macros.unknown(self.prompt, (*macros.PROMPT, "prompt")):
            yield "prompt", wrong
        elif self.prompt and not self.prompt.strip():
            yield "prompt", "should be words; without the key it is the method's own"

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Warn of secrets that can be guessed."""
        if any(0 < len(secret) <= SHORT_SECRET for secret in self.secret):
            yield (
                "secret",
                f"has {SHORT_SECRET} octets or fewer and can be guessed; better: aad make-secret",
            )


def networks_faults(key: str, networks: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield a fault for each network under `key` that is none."""
    for number, each in enumerate(networks):
        try:
            network(each)
        except ValueError as error:
            yield f"{key}.[{number}]", f'{error}; should be such as "192.0.2.10" or "2001:db8::/64"'
