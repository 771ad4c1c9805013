"""The searches for one user and their groups, and the user read out of the answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aad.core.group_name import UNTOLD
from aad.core.identity import Bar, User, name_key
from aad.core.outcome import Reason
from aad.repositories.ldap.account_state import SAMPLE, bar, marks, sampled
from aad.repositories.ldap.decode import Entry, UnreadableAnswerError
from aad.repositories.ldap.encode import Search, filled
from aad.repositories.ldap.settings import DN_MARKER, MARKER, LdapSettings

MOST_GROUPS = 1000
"""What Active Directory gives in one answer; and of more than 1015 groups no user of Windows can be a member."""

MOST_VALUES = 32  # of one further attribute, and of addresses
MOST_OCTETS = 253  # of one of these values: what an attribute of RADIUS can hold
_MOST_NAME, _MOST_DN = 1024, 2048  # characters of all names of an entry; RADIUS carries 253
_MOST_LANGUAGE = 200  # characters
_MOST_ADDRESS = 255  # characters: one more than any usable address has (RFC 5321 4.5.3.1, erratum 1690)
_MOST_TOLD = 1000  # values; far more than fit into a reply
_NO_TEXT = re.compile("[\0-\x1f\x7f-\x9f\ufffd]")
_NO_ATTRIBUTES = ("1.1",)  # RFC 4511 4.5.1.8
_NOT_ASKED = Bar(Reason.ACCOUNT_UNKNOWN, "its state was not asked for")


class UserReader:
    """Makes searches and reads entries by one repository's settings."""

    def __init__(
        self, settings: LdapSettings, repository: str, for_replies: tuple[str, ...] = (), *, account_state: bool = False
    ) -> None:
        """Compile the filters. `for_replies`: attributes of which nothing may get lost; `account_state`: as Wiring."""
        self._settings = settings
        self._repository = repository
        self._for_replies = for_replies
        self._account_state = account_state
        self._user_filter = settings.template()
        self._group_filter = settings.group_template()
        self._name_attribute = settings.compared()
        known = (settings.email_attribute, settings.group_attribute, settings.language_attribute)
        state = marks(settings.directory) if account_state else ()
        wanted = (self._name_attribute, *known, *settings.attributes, *for_replies, *state)
        self._attributes = tuple(dict.fromkeys(attribute for attribute in wanted if attribute))

    def user_search(self, name: str) -> Search | None:
        """Put the name into the filter, octet for octet; None: it can't be a user's, as it is no text."""
        try:
            filter_ = filled(self._user_filter, MARKER, name.encode()) if name else None
        except UnicodeEncodeError:
            return None
        # Two entries are enough to know that the name isn't one user's.
        return Search(self._settings.base_dn, filter_, self._attributes, 2) if filter_ else None

    def group_search(self, user: User) -> Search | None:
        """Return what finds the groups that don't stand in the user's own entry; None: no filter is set."""
        if self._group_filter is None:
            return None
        filter_ = filled(self._group_filter, MARKER, user.name.encode(errors="replace"))
        filter_ = filled(filter_, DN_MARKER, user.handle.encode(errors="replace"))
        return Search(self._settings.groups_below(), filter_, _NO_ATTRIBUTES, MOST_GROUPS)

    def sample(self) -> Search:
        """Return what finds a few users, with all that says whether an account's state can be seen. ValueError."""
        return Search(self._settings.base_dn, self._settings.any_user(), sampled(self._settings.directory), SAMPLE)

    def user(self, entry: Entry, now: float) -> User:
        """Read the user out of their entry. `now`: the wall clock's, in seconds since 1970. UnreadableAnswerError.

        An entry has one name, whichever the user gave: else each of its names would have its own lockout.
        """
        settings, values = self._settings, entry.values
        names = values.get(self._name_attribute.lower(), ())
        if sum(map(len, names)) > _MOST_NAME or len(entry.dn) > _MOST_DN:  # they are compared, character by character
            message = f"an entry that can't be read: its name has more than {_MOST_NAME} characters"
            raise UnreadableAnswerError(message)
        # A longer address can't be used, cut or not; so nothing needs to keep it whole.
        addresses = [value[:_MOST_ADDRESS] for value in values.get(settings.email_attribute.lower(), ())[:MOST_VALUES]]
        attribute = settings.group_attribute.lower()
        untold = (UNTOLD,) if attribute in entry.cut else ()
        return User(
            name=min(names, key=name_key, default=entry.dn),
            repository=self._repository,
            handle=entry.dn,
            addresses=tuple(addresses),
            groups=frozenset((*values.get(attribute, ()), *untold)),
            groups_are_dns=settings.groups_are_dns(),
            language=next(iter(values.get(settings.language_attribute.lower(), ())), "")[:_MOST_LANGUAGE],
            attributes=self._further(values),
            barred=bar(values, now, settings.directory) if self._account_state else _NOT_ASKED,
        )

    def _further(self, values: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Return the attributes that were asked for, where there are any."""
        found = {name: _texts(values.get(name.lower(), ())) for name in self._settings.attributes}
        # A value for a reply isn't left out if it is unfit: it may be a restriction, so the user is refused then.
        for name in self._for_replies:
            found[name] = tuple(value[: MOST_OCTETS + 1] for value in values.get(name.lower(), ())[:_MOST_TOLD])
        return {name: texts for name, texts in found.items() if texts}


def _texts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what is no text (a photo, a SID), is too long, or is beyond the first `MOST_VALUES`."""
    return tuple(v for v in values if len(v.encode()) <= MOST_OCTETS and not _NO_TEXT.search(v))[:MOST_VALUES]
