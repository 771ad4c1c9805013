"""A real FreeRADIUS that knows users and their passwords itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.parts.freeradius_server import HEAD, Freeradius
from tests.parts.ports import free_port
from tests.parts.radclient import quote

CONFIG = """\
client test {{
    ipaddr = 127.0.0.1
    secret = {secret}
    require_message_authenticator = yes
}}
modules {{
    always handled {{
        rcode = handled
    }}
    always reject {{
        rcode = reject
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
{users}
        if (&User-Name == "asked") {{
            update control {{
                &Response-Packet-Type := Access-Challenge
            }}
            update reply {{
                &State := 0x31
                &Message-Authenticator := 0x00
            }}
            handled
        }}
        reject
    }}
    post-auth {{
        update reply {{
            &Message-Authenticator := 0x00
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                &Message-Authenticator := 0x00
            }}
        }}
    }}
}}
"""
USER = """\
        if ((&User-Name == {name}) && (&User-Password == {password}) && &NAS-Identifier) {{
            update control {{
                &Auth-Type := Accept
            }}
            return
        }}"""


class FreeradiusHome(Freeradius):
    """Accepts each of `users` with his password, and rejects the rest; "asked" is challenged."""

    host = "127.0.0.1"

    def __init__(self, folder: Path, secret: str, users: Mapping[str, str], reject_delay: float = 0) -> None:
        """Write its configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port("udp")
        config = folder / "radiusd.conf"
        config.touch(mode=0o600)
        config.write_text(
            (HEAD + CONFIG).format(
                folder=folder,
                secret=quote(secret),
                port=self.port,
                reject_delay=reject_delay,
                users="\n".join(USER.format(name=quote(name), password=quote(word)) for name, word in users.items()),
            )
        )
        super().__init__(folder)
