"""A real FreeRADIUS that passes every request on to the server under test."""

from pathlib import Path
from typing import Literal

from tests.parts.freeradius_server import HEAD, Freeradius
from tests.parts.ports import free_port
from tests.parts.radclient import quote

CONFIG = """\
proxy_requests = yes
proxy server {{
    default_fallback = no
}}
home_server aad {{
    type = auth
    ipaddr = {home_host}
    port = {home_port}
    secret = {home_secret}
    response_window = {response_window}
    zombie_period = 40
    revive_interval = 60
    status_check = {status_check}
    check_interval = 6
    num_answers_to_alive = 3
}}
home_server_pool aad {{
    type = fail-over
    home_server = aad
}}
{accounting_home}realm aad {{
    auth_pool = aad
{accounting_pool}}}
client test {{
    ipaddr = 127.0.0.1
    secret = {client_secret}
    require_message_authenticator = no
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        update control {{
            &Proxy-To-Realm := "aad"
        }}
    }}
{accounting}}}
"""
ACCOUNTING_HOME = """\
home_server aad-accounting {{
    type = acct
    ipaddr = {home_host}
    port = {home_port}
    secret = {home_secret}
    response_window = 5
    zombie_period = 40
    revive_interval = 60
    status_check = status-server
    check_interval = 6
    num_answers_to_alive = 3
}}
home_server_pool aad-accounting {{
    type = fail-over
    home_server = aad-accounting
}}
"""
ACCOUNTING_PORT = """\
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = {port}
    }}
    preacct {{
        update control {{
            &Proxy-To-Realm := "aad"
        }}
    }}
"""


class FreeradiusProxy(Freeradius):
    """A proxy between a client with `client_secret` and the home server with `home_secret`."""

    host = "127.0.0.1"

    def __init__(  # noqa: PLR0913 - two sides of a proxy
        self,
        folder: Path,
        home_host: str,
        home_port: int,
        home_secret: str,
        client_secret: str,
        response_window: float = 20,
        *,
        status_check: Literal["none", "status-server"] = "status-server",
        accounting_port: int = 0,
    ) -> None:
        """Write its configuration; after `response_window` seconds without an answer it takes the home for ill.

        `accounting_port`: the home server's, if accounting is passed on too.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port("udp")
        self.accounting_port = free_port("udp") if accounting_port else 0
        home = {"home_host": home_host, "home_port": accounting_port, "home_secret": quote(home_secret)}
        text = (HEAD + CONFIG).format(
            folder=folder,
            reject_delay=0,
            home_host=home_host,
            home_port=home_port,
            home_secret=quote(home_secret),
            client_secret=quote(client_secret),
            response_window=response_window,
            status_check=status_check,
            port=self.port,
            accounting=ACCOUNTING_PORT.format(port=self.accounting_port) if accounting_port else "",
            accounting_home=ACCOUNTING_HOME.format(**home) if accounting_port else "",
            accounting_pool="    acct_pool = aad-accounting\n" if accounting_port else "",
        )
        config = folder / "radiusd.conf"
        config.touch(mode=0o600)
        config.write_text(text)
        super().__init__(folder)
