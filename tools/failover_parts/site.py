"""Two nodes, their store, a directory and a mail server, each on a host of its own, with a cable where one is needed.

nas ── node1, node2        node1, node2 ── store, ldap, mail
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.parts.authority import Authority
from tests.parts.daemon import HEAD, Daemon
from tests.parts.directory import Directory
from tests.parts.network import Cable, Host
from tests.parts.ports import free_port
from tests.parts.redis import Redis
from tools.parts.site import configuration, people
from tools.soak_parts.outages import MailRoom

EVERYWHERE = "0.0.0.0"  # noqa: S104 - on hosts of their own
STORE = """type = "valkey"
url = "{url}"
key = "an installation's key, for both nodes"
on_unavailable = "{on_unavailable}"
"""
CONNECTIONS = 64  # of a node to the mail server, which may be slow
PLACES = ("store", "ldap", "mail")


class Node(Daemon):
    """`aad serve` on a host of its own."""

    host = EVERYWHERE


@dataclass
class Site:
    """All of it, running. `cables`: from each node to its store."""

    nas: Host
    hosts: list[Host]
    nodes: list[Node]
    addresses: list[tuple[str, int]]
    store_host: Host
    store: Redis
    cables: list[Cable]
    room: MailRoom
    mail: socket.socket

    def start_node(self, number: int) -> None:
        """Start a node that was killed, on its host."""
        with self.hosts[number].inside():
            self.nodes[number].start()

    def start_store(self) -> None:
        """Start the store that was killed, on its host."""
        with self.store_host.inside():
            self.store.start()

    def kept(self, folder: Path) -> list[str]:
        """Copy what the nodes wrote, in all their lives, and return the names of the files."""
        logs = [(node.folder.name, log) for node in self.nodes for log in sorted(node.folder.glob("daemon-*.log"))]
        return [str(shutil.copy(log, folder / f"aad-failover-{name}-{log.name}")) for name, log in logs]

    def complaints(self) -> list[str]:
        """Return what the nodes wrote, since their last start, that they should never write."""
        return [str(each) for node in self.nodes for each in (*node.strays(), *node.records("fault"))]


@contextmanager
def site(folder: Path, *, users: int, on_unavailable: str = "refuse", workers: int = 1) -> Iterator[Site]:
    """Start everything but the mail server, which is for an event loop to open."""
    for part in ("ca", "ldap"):
        (folder / part).mkdir()
    with ExitStack() as stack:
        nas, *hosts = (stack.enter_context(Host(name)) for name in ("nas", "node1", "node2"))
        servers = {name: stack.enter_context(Host(name)) for name in PLACES}
        cables = {
            (host.name, name): Cable(10 * (number + 1) + place, host, servers[name])
            for number, host in enumerate(hosts)
            for place, name in enumerate(PLACES)
        }
        fronts = [Cable(number, nas, host) for number, host in enumerate(hosts)]
        store = Redis(folder / "redis", host=EVERYWHERE)
        directory = Directory(folder / "ldap", Authority(folder / "ca"), people(users), host=EVERYWHERE)
        for name, server in {"store": store, "ldap": directory}.items():
            stack.callback(server.stop)
            with servers[name].inside():
                server.start()
        mail_port, nodes = free_port(), []
        for number, host in enumerate(hosts):
            way = {name: cables[host.name, name].theirs for name in PLACES}
            rest = configuration(directory, mail_port, mail_host=way["mail"], ldap_host=way["ldap"])
            rest = rest.replace("[senders.mail]", f"[senders.mail]\nconnections = {CONNECTIONS}")
            said = STORE.format(url=f"valkey://{way['store']}:{store.port}/0", on_unavailable=on_unavailable)
            head = HEAD.replace('path = "{folder}/state.db"', said).replace('"127.0.0.0/8"', f'"{fronts[number].ours}"')
            nodes.append(Node(folder / host.name, rest, head=head.replace('level = "debug"', 'level = "info"')))
            nodes[-1].options = ("--workers", str(workers)) if workers > 1 else ()
            stack.callback(nodes[-1].stop)
            with host.inside():
                nodes[-1].start()
        yield Site(
            nas=nas,
            hosts=hosts,
            nodes=nodes,
            addresses=[(cable.theirs, node.port) for cable, node in zip(fronts, nodes, strict=True)],
            store_host=servers["store"],
            store=store,
            cables=[cables[host.name, "store"] for host in hosts],
            room=MailRoom(mail_port),
            mail=_listener(servers["mail"], mail_port),
        )


def _listener(host: Host, port: int) -> socket.socket:
    with host.inside():
        listener = socket.socket()
    listener.bind((EVERYWHERE, port))
    return listener
