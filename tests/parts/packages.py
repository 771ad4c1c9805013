"""Which Debian packages the parts need, and a file of each that shows it is installed."""

import sysconfig
from pathlib import Path


def packages() -> dict[str, str]:
    """Return package names, each with a file that is there when the package is."""
    return {
        # what the Debian package depends on, and who reads its pages and completions
        "python3-netaddr": "/usr/lib/python3/dist-packages/netaddr/__init__.py",
        "python3-pycryptodome": "/usr/lib/python3/dist-packages/Cryptodome/__init__.py",
        "python3-systemd": "/usr/lib/python3/dist-packages/systemd/__init__.py",
        "man-db": "/usr/bin/man",
        "mandoc": "/usr/bin/mandoc",
        "zsh": "/usr/bin/zsh",
        "fish": "/usr/bin/fish",
        "slapd": "/usr/sbin/slapd",
        "ldap-utils": "/usr/bin/ldapsearch",
        "samba-ad-dc": "/usr/sbin/samba",
        "samba-ad-provision": "/usr/share/samba/setup/provision.ldif",
        "samba-dsdb-modules": _library("samba/ldb/samba_dsdb.so"),
        "postfix": "/usr/sbin/postfix",
        "dovecot-imapd": "/usr/lib/dovecot/imap",
        "sasl2-bin": "/usr/sbin/saslpasswd2",
        "libsasl2-modules": _library("sasl2/libplain.so"),
        "libsasl2-modules-db": _library("sasl2/libsasldb.so"),
        "freeradius": "/usr/sbin/freeradius",
        "freeradius-utils": "/usr/bin/radclient",
        "pamtester": "/usr/bin/pamtester",
        "libpam-radius-auth": _library("security/pam_radius_auth.so"),
        "openssh-server": "/usr/sbin/sshd",
        "openssh-client": "/usr/bin/ssh",
        "ocserv": "/usr/sbin/ocserv",
        "libradcli4": "/etc/radcli/dictionary",
        "openconnect": "/usr/sbin/openconnect",
        "oathtool": "/usr/bin/oathtool",
        "openvpn": "/usr/sbin/openvpn",
        "openvpn-auth-radius": "/usr/lib/openvpn/radiusplugin.so",
        "sudo": "/usr/bin/sudo",
        "redis-server": "/usr/bin/redis-server",
        "chromium": "/usr/bin/chromium",
        "systemd": "/lib/systemd/systemd-journald",
        # systemd-python is compiled
        "gcc": "/usr/bin/gcc",
        "pkg-config": "/usr/bin/pkg-config",
        "libsystemd-dev": "/usr/include/systemd/sd-journal.h",
        "python3-dev": f"{sysconfig.get_path('include')}/Python.h",
        "iproute2": "/bin/ip",
        "python3": "/usr/bin/python3",
    }


def missing() -> list[str]:
    """Return the packages that have to be installed."""
    return [package for package, file in packages().items() if not Path(file).exists()]


def _library(name: str) -> str:
    """Find a library in the folder of this machine's architecture; the plain folder when it isn't there."""
    found = sorted(str(path) for path in Path("/usr/lib").glob(f"*-linux-gnu*/{name}"))
    return found[0] if found else f"/usr/lib/{name}"


if __name__ == "__main__":
    print(*missing())  # noqa: T201 - for tools/test
