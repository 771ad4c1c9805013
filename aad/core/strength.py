"""Compares chains: which of two asks for less, and which can be answered in one field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PASSWORD = "password"  # noqa: S105 - the kind of proof


@dataclass(frozen=True, kw_only=True)
class Trait:
    """The traits of one method that are known without a login.

    `proves`: the kind of proof, in the log's word ("password", "code"); `thing`: what exactly is proved, so that two
    methods which look at one mailbox are one proof. `enrolled`: users are enrolled for it, and a chain gives way where
    they aren't; `sends`: it sends a message as it begins.
    """

    proves: str
    thing: str
    enrolled: bool = False
    sends: bool = False


Traits = Mapping[str, Trait]


def asks_less(lesser: Sequence[str], greater: Sequence[str], traits: Traits) -> bool:
    """Say whether one list of methods asks for less than another one.

    It does if its methods are a part of the other's, or if it comes to fewer proofs, or to a part of the kinds of
    proof: a password alone is less than an app and a key fob. A code by mail is no less than one of an app.
    """
    few, many = _proofs(lesser, traits), _proofs(greater, traits)
    return set(lesser) < set(greater) or len(few) < len(many) or _kinds(few) < _kinds(many)


def password_alone(methods: Sequence[str], traits: Traits) -> bool:
    """Say whether nothing but passwords is asked for."""
    return all(traits[name].proves == PASSWORD for name in methods)


def sends_first(methods: Sequence[str], traits: Traits) -> bool:
    """Say whether a message is sent before anything is proved."""
    return traits[methods[0]].sends


def fits_one_field(methods: Sequence[str], traits: Traits) -> bool:
    """Say whether a client that can't ask can bring all that the methods want, in one field.

    What is typed first goes to the first method, which can't be one that sends, as it would send again; what stands
    behind it is one code, which may be that of a message sent at a first try. A second password can't stand there.
    """
    first, *rest = (traits[name] for name in methods)
    return not first.sends and len(rest) <= 1 and all(each.proves != PASSWORD for each in rest)


def _proofs(methods: Sequence[str], traits: Traits) -> set[tuple[str, str]]:
    return {(traits[name].proves, traits[name].thing) for name in methods}


def _kinds(proofs: set[tuple[str, str]]) -> set[str]:
    return {kind for kind, _ in proofs}
