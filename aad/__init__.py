"""Advanced Authentication Daemon: a second factor by mail for everything that speaks RADIUS.

One login, and where each step of it stands:

1.  `radius/server.py` gets a datagram. `radius/clients.py`: whose address is that? `radius/packet.py`: well formed,
    Message-Authenticator right? If not, silence. `radius/duplicates.py`: at work: silence; answered: the same again.
2.  `radius/password.py` reads what was typed (PAP, CHAP, MS-CHAPv2) as a `core/answer.py`, and `radius/front.py`
    makes it an Attempt (`core/identity.py`): this name, from this client, for this event.
3.  `engine.py` begins: the event's repositories (`repositories/`) are asked for the user and the password in one go;
    in between `lockout.py` counts the guess in the user's row of failures (`core/row.py`). `core/policy.py` says which
    chain of methods is asked. That makes a Login, which is Running (`core/conversation.py`).
4.  While it is Running, the engine lets its method work and takes the next state. `methods/password.py`: Success.
    `methods/email_otp.py`: a code (`core/code.py`) goes by `post.py` (budgets, the user's next address), `delivery.py`
    (the next sender) and `senders/`; Challenge, so the login is Waiting.
5.  `pending.py` keeps it in the store (`stores/`) under a ticket. Access-Challenge: State is the ticket.
6.  The answer comes by the same door. The ticket is taken, once, and the answer counted as a guess at the same moment;
    the method says Success, so it was none; no method is left: Accepted.
    `core/grants.py` says what the client is told of the user, `radius/granting.py` encodes it, by the names of
    `radius/vocabulary.py`; what can't be told may be what confines him, so then it is Rejected.

The rooms, and what each may know (tests/test_architecture.py guards this):

    core/          the rules, pure: no await, no clock, no randomness, no files     | core
    ports.py       what a plugin is: Method, Repository, Sender, Store; Unavailable | core
    storing.py     a part of it: the port Store                                     | nothing
    group_lookup.py  another: what a repository says of a configured group          | nothing
    vault.py       what users are enrolled with, sealed, in the store               | core, ports
    enrolment.py   enrols users: an app, recovery codes; for command and portal     | core, ports, vault
    signer.py      signs what is kept in the store, by the installation's key: what others wrote is absent | core
    history.py     a user's last logins, out of the records as they pass            | core, ports
    qr.py          QR codes, for a terminal and for a page                          | core
    config/        aad.toml -> frozen values; every fault by file and key           | core, secure_path
    folders.py     folders held open, so that no path leads root elsewhere          | nothing
    secure_path.py  what is read as configuration, and who else could have written it | folders
    privileges.py  root becomes the owner of what it opens, before it does          | folders
    guard/         plugins of other packages, held to their contract                | config, core, outages, ports
    installation.py  the installation's key, made at the first start                   | core, folders, ports
    registry.py    a type's name -> a plugin class                                  | ports, config
    methods/ repositories/ senders/ stores/   the plugins; none knows another | core, ports; folders, upstream, users
    asker.py       who asks for what a task does: hands are shared out in turns     | core
    users/         a users file at work: read anew, its passwords hashed by turns   | asker, core, ports, secure_path
    upstream/      other RADIUS servers, asked about a password                     | core, ports, radius
    same.py        a login begun again while it is at work is one login            | core, ports
    claim.py       of several nodes one begins a login, the others wait for him     | ports
    ahead.py       a challenge kept before its message leaves, for who goes on for a dead node | core, ports, pending
    lockout.py     rows of failures in the store: a guess is counted before it is compared | core, ports
    notices/       mails to users about what changed for them, by way of the store  | core, delivery, ports, texts
    engine.py      does what the conversation says, with pending, lockout, outages, story | core, ports
    post.py        how a method's message leaves, and what becomes of it            | core, ports, delivery, outages
    delivery.py    one message to one address, by the first sender that takes it    | core, ports, outages
    radius/        the RADIUS front, and `nas.py`, a client that asks it            | core, ports, engine
    https/         the HTTPS front: the API for websites                            | core, ports, engine
    certificate.py our own certificate: loaded, and until when it is good           | core
    canary/        one login of a test user, its code read out of a mailbox        | core, ports, engine, radius
    records.py     the records there are: name, level, text, MESSAGE_ID             | nothing
    log.py         where records go: `journal.py` (never waits for it), `logfile.py` or stderr | records
    logbook/       the records read back, from journal or file, told as stories     | core, folders, records
    metrics/       counts records as they pass; GET /metrics                        | core, ports
    watch.py       [metrics] at work, over the parts that run                       | metrics, config, log, radius
    service.py     what systemd hands over and wants to hear                        | nothing
    importing/     Duo's and FreeRADIUS's files -> an aad.toml, for `aad import`     | core
    assembly.py    builds the parts of one configuration                            | all of the above
    nases.py       the clients of RADIUS as the configuration has them              | config, radius
    portal/        the self-service portal, and its helpdesk: pages, forms, sessions | https, engine, enrolment, history
    selfservice.py the portal's parts, out of a configuration                       | assembly, portal
    webfront.py    [https] at work; imported only where that is configured          | https, config, engine
    sockets.py     those of aad.toml, or those that systemd hands over              | config, radius, service
    workers.py     several daemons behind the same sockets                          | daemon, sockets
    loop.py        the event loop: uvloop's where that is installed                 | nothing
    garbage.py     the garbage collector, which stops that loop: seldom, and briefly | nothing
    daemon.py      runs until SIGTERM, drains, reloads                       | assembly, radius, service, watch
    cli/           one file a command                                               | everybody
"""

__version__ = "0.1.0"
