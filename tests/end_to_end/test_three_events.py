"""One configuration for a company: a VPN, its laptops and a switch; two repositories, three groups, real clients."""

from __future__ import annotations

import base64
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.authority import Authority
from tests.parts.corp import repository, sender
from tests.parts.daemon import HEAD, SECRET, Daemon
from tests.parts.directory import Directory, Person
from tests.parts.ldif import group_dn
from tests.parts.mailbox import Mailbox, code_in
from tests.parts.pam import Pamtester, pam_host
from tests.parts.radclient import Radclient
from tests.parts.recipes import Site
from tests.parts.warm import aad

LAPTOP, SWITCH = "127.0.0.2", "127.0.0.3"  # the VPN's gateway is 127.0.0.1
PEOPLE = (
    Person("alice", "correct horse", mail=("alice@example.com",), groups=("vpn", "staff")),
    Person("bob", "battery staple", mail=("bob@example.com",), groups=("staff",)),
    Person("nina", "blinking lights", mail=("nina@example.com",), groups=("netadmins",)),
)
COMPANY = """
[clients.laptops]
networks = ["127.0.0.2"]
secret = "{secret}"
event = "laptops"
require_message_authenticator = false
[clients.switch]
networks = ["127.0.0.3"]
secret = "{secret}"
event = "network"
challenge = false
code_separator = ","
prompt = "Type your password, a comma and the code sent to {{recipient}}"
[repositories.partners]
type = "file"
path = "partners.toml"
realms = ["partner.org"]
[methods.totp]
type = "totp"
[chains.vpn]
methods = ["password", "email_otp"]
groups = ["{vpn}", "partners"]
[chains.laptop-app]
methods = ["password", "totp"]
groups = ["{staff}"]
[chains.laptop-mail]
methods = ["password", "email_otp"]
groups = ["{staff}"]
short_name = "mail"
[chains.switch]
methods = ["password", "email_otp"]
groups = ["{netadmins}"]
[events.vpn]
chains = ["vpn"]
[events.laptops]
repositories = ["corp"]
chains = ["laptop-app", "laptop-mail"]
[events.network]
repositories = ["corp"]
chains = ["switch"]
[replies.switch]
clients = ["switch"]
groups = ["{netadmins}"]
attributes = {{ Cisco-AVPair = "shell:priv-lvl=15", Filter-Id = "{{group}}" }}
"""
LEAST = HEAD.partition("[chains.both]")[0].replace('["127.0.0.0/8", "::1"]', '["127.0.0.1"]')


@pytest.fixture
def company(tmp_path: Path, authority: Authority, mailbox: Mailbox) -> Iterator[Daemon]:
    (tmp_path / "ldap").mkdir()
    with Directory(tmp_path / "ldap", authority, PEOPLE) as directory:
        groups = {name: group_dn(name) for name in ("vpn", "staff", "netadmins")}
        parts = repository(directory) + 'realms = ["CORP"]\n' + sender(mailbox.port, authority)
        daemon = Daemon(tmp_path / "aad", parts + COMPANY.format(secret=SECRET, **groups), head=LEAST)
        hashed = aad("hash-password", given="of a partner\n").stdout.strip()
        partners = daemon.folder / "partners.toml"
        partners.write_text(f'[users.pat]\npassword = "{hashed}"\nemail = "pat@partner.org"\ngroups = ["partners"]\n')
        partners.chmod(0o600)
        with daemon:
            yield daemon
        assert not daemon.strays()


def explained(daemon: Daemon, user: str, event: str, client: str) -> str:
    return aad("explain", user, "--event", event, "--client", client, "-c", daemon.file).stdout


def test_the_vpn_asks_for_a_code_by_mail_of_members_and_partners(company: Daemon, mailbox: Mailbox) -> None:
    with Radclient(company.host, company.port, SECRET) as radclient:
        for user, password, address in (
            ("alice", "correct horse", "alice@example.com"),
            ("CORP\\alice", "correct horse", "alice@example.com"),
            ("pat@partner.org", "of a partner", "pat@partner.org"),
        ):
            count = len(mailbox.letters(address)) + 1
            login = radclient.login(user, password, lambda _, a=address, c=count: code_in(mailbox.wait(a, c)))  # type: ignore[misc]
            assert login.accepted, login.transcript
        assert not radclient.login("bob", "battery staple", lambda _: "").accepted
    refused = company.records("login.rejected")[-1]["reason"]
    assert refused.startswith("no chain of the event is for this user: vpn only for members of ")
    assert {record["user"] for record in company.records("login.accepted")} == {"alice", "pat"}
    assert "repository partners" in explained(company, "pat@partner.org", "vpn", "gateway")
    assert "chain vpn: only for members of" in explained(company, "bob", "vpn", "gateway")


def test_laptops_ask_for_the_app_and_for_mail_where_there_is_none(
    company: Daemon, mailbox: Mailbox, tmp_path: Path
) -> None:
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    (tmp_path / "apps.csv").write_text(f"alice,{secret}\n")
    imported = aad("totp", "import", tmp_path / "apps.csv", "--event", "laptops", "-c", company.file)
    assert imported.returncode == 0, imported.stderr

    codes = []

    def code(_prompt: str) -> str:
        """Return what the app shows when it is asked for: the login may come a while after its host was made."""
        command = ["oathtool", "--totp", "-b", secret]
        codes.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        return codes[0]

    def laptop(user: str) -> Pamtester:
        site = Site(company.host, company.port, SECRET)
        return Pamtester(pam_host(tmp_path / user, site, user, source=LAPTOP), "sudo")

    with laptop("alice") as host:
        first = host.login("alice", "correct horse", code)
        assert first.accepted, first.transcript
        assert not mailbox.messages
        again = host.login("alice", "correct horse", code)
        assert not again.accepted  # the same code
    with laptop("bob") as host:
        mailed = host.login("bob", "battery staple", lambda _: code_in(mailbox.wait("bob@example.com")))
        assert mailed.accepted, mailed.transcript
    assert "chain: laptop-app (password, then totp)" in explained(company, "alice", "laptops", "laptops")
    assert "chain: laptop-mail (password, then email_otp)" in explained(company, "alice mail", "laptops", "laptops")
    assert "chain: laptop-mail (password, then email_otp)" in explained(company, "bob", "laptops", "laptops")
    assert "not enrolled" in explained(company, "bob", "laptops", "laptops")


def test_the_switch_takes_password_and_code_in_one_field(company: Daemon, mailbox: Mailbox) -> None:
    with Radclient(company.host, company.port, SECRET) as radclient:

        def ask(user: str, typed: str) -> tuple[str, dict[str, list[str]]]:
            from_there = f"Packet-Src-IP-Address = {SWITCH}"
            reply = radclient.send("auth", [from_there, f'User-Name = "{user}"', f'User-Password = "{typed}"'])
            return reply.code, reply.attributes

        code, attributes = ask("nina", "blinking lights")
        assert code == "Access-Reject"
        words = "Type your password, a comma and the code sent to n***@e***.com"
        assert attributes["Reply-Message"] == [words]
        code, attributes = ask("nina", "blinking lights," + code_in(mailbox.wait("nina@example.com")))
        assert code == "Access-Accept"
        assert (attributes["Cisco-AVPair"], attributes["Filter-Id"]) == (["shell:priv-lvl=15"], ["netadmins"])
        assert ask("alice", "correct horse")[0] == "Access-Reject"
    assert len(mailbox.messages) == 1
    shown = explained(company, "nina", "network", "switch")
    assert "chain: switch (password, then email_otp)" in shown
    assert "Cisco-AVPair" in shown
    assert words in shown
