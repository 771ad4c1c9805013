r"""Advanced Authentication Daemon: a second factor by mail for everything that speaks RADIUS.

One login, and where each step of it stands:

1.  `radius/server.py` gets a datagram. `radius/protocol/packet.py`, `wire.py`: is it well formed? `radius/clients.py`:
    whose address is it, and which of the client's secrets signed it? If not, no reply. `radius/duplicates.py`: a
    request that is in progress gets no reply, one that was answered gets the same reply again.
2.  `radius/protocol/password.py` reads what was typed (PAP, CHAP, MS-CHAPv2), and `radius/front.py` makes it an Attempt
    (`core/identity.py`): this name, from this client, for this event.
3.  `login/engine.py` begins. `login/identify.py` asks the event's `repositories/` for user and password in one go;
    before the password is checked, `login/lockout.py` counts it as a wrong one (`core/row.py`), and takes that back
    afterwards. `core/policy.py` chooses the chain of methods: a Login, which is Running (`core/conversation.py`).
4.  While it is Running, the engine lets its method work and takes the next state. `methods/password.py`: Success.
    `methods/email_otp.py`: a code (`core/one_time_code.py`) leaves by `login/messenger.py` (budgets, addresses),
    `login/message_delivery.py` (tries the senders in order) and `senders/`; Challenge, so the login is Waiting.
5.  `login/pending.py` keeps it in `stores/` under a ticket. Access-Challenge: State is the ticket.
6.  The answer comes in the same way. The ticket can be taken once; the same commit counts the answer as a guess; the
    method compares the code; no method is left: Accepted. `core/grants.py` says what the client is told of the user,
    `radius/reply_attributes.py` encodes it.

The rooms; tests/test_architecture.py holds which may import which:

    core/           the rules, pure: no await, clock, randomness, files
    ports.py        what a plugin is: Method, Repository, Sender; storing.py: Store; abilities.py: what is optional
    login/          one login at work: engine, identify, pending, lockout, single flight, messages
    enrolment/      what users are enrolled with: apps, recovery codes, the vault they are kept in
    notices/        mails to users about what changed for them
    methods/        one file a method                                         \
    repositories/   where users live: ldap/ and file                           | plugins; none knows another,
    senders/        what carries a message: smtp/                              | none knows a front
    stores/         what outlives a restart: sqlite/ and valkey/              /
    guard/          plugins of other packages, held to their contract
    radius/         the RADIUS front; protocol/ is the packet alone
    radius_client/  other RADIUS servers, asked by us
    https/          the HTTPS front: the API for websites
    portal/         pages over the HTTPS front: sign in, account, enrol, helpdesk
    net/            what every client of a network service needs: addresses of names, backoff
    users_file/     users.toml, for repositories/file and methods/file_password
    filesystem/     files that others may change meanwhile: opened, judged, owned
    logs/           records out (journal, file, stderr), read back and told as stories
    metrics/        counters, gauges, GET /metrics
    canary/         one login of a test user, its code read out of a mailbox
    migrate/        other servers' configurations -> aad.toml
    config/         aad.toml -> frozen values; every fault by file and key (a plugin's keys stand in its own Settings)
    daemon/         the process: workers, sockets, assembly, plugin registry; it knows everybody but cli/
    cli/            one file a command
    texts/          words in the users' languages
"""

__version__ = "0.1.0"
