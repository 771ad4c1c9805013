"""Puts people and groups into a Samba domain; runs under Debian's Python, which has Samba's module.

`/usr/bin/python3 samba_people.py SMB_CONF SAM_LDB`, with JSON on standard input: {"groups": {name: members},
"accounts": [{"name", "cn", "password", "state", "attributes"}]}. Imports nothing of the tests.
"""

import base64
import json
import sys
import time

import ldb
from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

FILETIME = 11_644_473_600  # seconds from 1601 to 1970
LONG_AGO = 130_000_000_000_000_000  # in the year 2012
ATTRIBUTES: dict[str, dict[str, str | bytes]] = {
    "disabled": {"userAccountControl": str(dsdb.UF_NORMAL_ACCOUNT | dsdb.UF_ACCOUNTDISABLE)},
    "expired": {"accountExpires": str(LONG_AGO)},
    "must change": {"pwdLastSet": "0"},
    "password expired": {"pwdLastSet": str(LONG_AGO)},
    "locked": {"lockoutTime": str(int((time.time() + FILETIME) * 10_000_000))},
    "hours": {"logonHours": bytes(21)},
    "place": {"userWorkstations": "ELSEWHERE"},
    "": {},
}


def main(smb_conf: str, sam: str) -> None:
    """Add all of them, in one transaction."""
    wanted = json.load(sys.stdin)
    settings = LoadParm()
    settings.load(smb_conf)
    domain = SamDB(url=sam, session_info=system_session(), lp=settings)
    domain.transaction_start()
    for account in wanted["accounts"]:
        domain.newuser(account["name"], account["password"])
        change(domain, account["name"], account["attributes"])
        change(domain, account["name"], ATTRIBUTES[account["state"]])
        if account["cn"]:
            domain.rename(entry(domain, account["name"]), entry(domain, account["cn"]))
    for group in wanted["groups"]:
        domain.newgroup(group)
    for group, members in wanted["groups"].items():
        domain.add_remove_group_members(group, members, add_members_operation=True)
    domain.transaction_commit()


def entry(domain: SamDB, name: str) -> ldb.Dn:
    """Return where the user or group of this name is."""
    return ldb.Dn(domain, f"CN={name},CN=Users,{domain.domain_dn()}")


def change(domain: SamDB, name: str, attributes: dict[str, str | bytes]) -> None:
    """Set attributes of one account; binary ones of the JSON come as {"base64": ...}."""
    message = ldb.Message(entry(domain, name))
    for key, value in attributes.items():
        octets = base64.b64decode(value["base64"]) if isinstance(value, dict) else value
        message[key] = ldb.MessageElement(octets, ldb.FLAG_MOD_REPLACE, key)
    # The server itself sets pwdLastSet; this control lets it be written like any other attribute.
    controls = [f"local_oid:{dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID}:0"]
    if attributes:
        domain.modify(message, controls if "pwdLastSet" in attributes else [])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
