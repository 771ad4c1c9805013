"""[https.portal]: its routes and what they need, out of what is assembled. Imported where it is configured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from aad.config import Config
from aad.config.portal import NAME, Portal
from aad.core.grants import Granted
from aad.core.group_name import group_key
from aad.core.policy import Chain, Event
from aad.daemon import assembly, plugin_registry
from aad.daemon.assembly import Assembled
from aad.https import problems
from aad.https.login_front import LoginFront
from aad.https.messages import Request, Response, Route
from aad.https.problems import ProblemError
from aad.https.router import Showing
from aad.login.engine import Engine
from aad.login.randomness import Randomness
from aad.logs.login_history import TEST
from aad.notices.kept import Notices
from aad.portal import routes
from aad.portal.forms import Forms
from aad.portal.page_request import PortalContext
from aad.portal.pages import Pages
from aad.portal.sessions import Sessions
from aad.portal.user_status import MethodConfig, UserStatus
from aad.ports import ChoosesAddress, Resends

PROOF = "before a change"
"""How the names of tests end that come before a change of enrolment: it stands in mails and in the log."""


def added(assembled: Assembled, portal: Portal, front: LoginFront, notices: Notices) -> tuple[list[Route], Showing]:
    """Return the portal's routes, and what shows a problem: a page, but to programs JSON."""
    context = _context(assembled, portal, front, notices)

    def show(request: Request | None, problem: ProblemError) -> Response:
        if request is None or request.path.startswith(("/v1/", "/openapi")):
            return problems.shown(request, problem)
        return routes.shown(context, request, problem)

    return list(routes.routes(context, Randomness())), show


def _context(assembled: Assembled, portal: Portal, front: LoginFront, notices: Notices) -> PortalContext:
    """Return what the pages are made with. Its engine is that of `front`, and knows the events of tests too."""
    config, key, store, randomness = assembled.config, assembled.key, assembled.lasting.store, Randomness()
    event = assembled.engine.identify.events[portal.event]
    methods = list(_methods(assembled, event))
    engine = _testing(assembled.engine, methods)
    signer = assembly.signer(key, store, engine.outages)
    return PortalContext(
        front=replace(front, engine=engine),
        engine=engine,
        store=store,
        pages=Pages(portal.title, portal.contact),
        forms=Forms(store, key, randomness),
        sessions=Sessions(store, signer, randomness, idle=portal.idle, lifetime=portal.lifetime),
        users=UserStatus(engine.identify.repositories, event, methods),
        record=assembled.lasting.record,
        notices=notices,
        client=NAME,
        event=portal.event,
        helpers=frozenset(map(group_key, (*portal.helpdesk_groups, *portal.helpdesk_admins))),
        admins=frozenset(map(group_key, portal.helpdesk_admins)),
        password=all(_proves(config, chain.methods[0]) == "password" for chain in event.chains),
        fresh=portal.fresh,
        second=frozenset(name for name in config.methods if _proves(config, name) != "password"),
        language=portal.language,
    )


def _methods(assembled: Assembled, event: Event) -> Iterator[MethodConfig]:
    """Yield the methods that ask for a code: a user who is signed in has given their password already."""
    config, senders = assembled.config, assembled.plugins.senders
    enrolments = assembly.enrolling(config, assembled.lasting.store)
    for name, plugin in config.methods.items():
        if _proves(config, name) != "code":
            continue
        settings = plugin.settings
        sends = settings if isinstance(settings, ChoosesAddress) else None
        yield MethodConfig(
            name=name,
            type=plugin.type,
            resends=isinstance(settings, Resends),
            sender=senders[sends.senders[0]] if sends and sends.senders else None,
            attribute=sends.address_attribute if sends else "",
            enrolment=enrolments.get(name),
            tests={each: _test(name, each, event) for each in event.repositories},
            proofs={each: f"{_test(name, each, event)} {PROOF}" for each in event.repositories},
        )


def _proves(config: Config, method: str) -> str:
    proves: str = plugin_registry.plugin_class("methods", config.methods[method].type).proves
    return proves


def _test(method: str, repository: str, event: Event) -> str:
    """Name the event that asks for one method alone, of one repository's users: it stands in mails and in the log."""
    return f"{TEST}{method}" if len(event.repositories) == 1 else f"{TEST}{method} ({repository})"


def _testing(engine: Engine, methods: list[MethodConfig]) -> Engine:
    """Return an engine that knows the tests, beside the events there are; it grants nothing, as no client is told."""
    tests = {
        test: Event(test, (repository,), (Chain(each.name, (each.name,)),), test=True)
        for each in methods
        for repository, test in (*each.tests.items(), *each.proofs.items())
    }
    identify = replace(engine.identify, events={**engine.identify.events, **tests})
    return replace(engine, identify=identify, grant=lambda _login: Granted())
