"""The unit: started, reloaded, watched, restarted; its secrets, and what it may do."""

from __future__ import annotations

import os
import re
import signal

from aad.radius.protocol import constants
from aad.radius.protocol.constants import ACCESS_ACCEPT
from tests.parts.daemon import SECRET
from tests.parts.waiting import until
from tests.systemd.conftest import CONFIGURATION, PASSWORD, Home, challenged

CREDENTIAL = "/run/credentials/aad.service/aad_gateway.secret"


def test_a_login_of_the_installed_unit(home: Home) -> None:
    home.begin()  # returns when it is ready: the first datagram needs no luck
    with home.client() as client:
        typed, given = challenged(home, client)
        assert client.ask("alice", typed, given).code == ACCESS_ACCEPT
    assert home.show("aad", "StatusText") == "clients: 1, events: 1, waiting logins: 0"
    (accepted,) = [one for one in home.journal("-u", "aad") if one.get("AAD_EVENT") == "login.accepted"]
    assert (accepted["AAD_USER"], accepted["_SYSTEMD_UNIT"]) == ("alice", "aad.service")
    home.systemctl("stop", "aad")
    assert home.show("aad", "Result") == "success"
    assert "aad has stopped" in home.said()
    assert "Traceback" not in home.said()


def test_mschapv2_works_in_the_sandbox(home: Home) -> None:
    home.begin()
    with home.client() as client:
        typed, (_, ticket) = challenged(home, client)
    home.write("/root/secret", SECRET, 0o600)
    home.write("/root/password", PASSWORD, 0o600)
    command = "aad login alice --server 127.0.0.1 --secret-file /root/secret --password-file /root/password"
    done = home.done("sh", "-c", f"{command} --code-command 'echo {typed}' --protocol mschapv2")
    assert done.returncode == 0, done.stdout.decode()  # begun again: the same code
    assert ticket


def test_the_sandbox_scores_well_and_the_units_are_correct(home: Home) -> None:
    home.run("systemd-analyze", "security", "--offline=true", "--threshold=12", "aad.service")
    units = [f"/usr/lib/systemd/system/aad.{kind}" for kind in ("service", "socket")]
    assert home.run("systemd-analyze", "verify", "--man=no", *units) == ""


def test_a_good_reload_is_in_force(home: Home) -> None:
    home.begin()
    before = home.main_pid()
    with home.client() as client:
        typed, given = challenged(home, client)
        home.configure('[methods.email_otp]\nprompt = "Code please"\n')
        home.systemctl("reload", "aad")
        until(lambda: "is in force" in home.said())
        assert client.ask("bob", PASSWORD).first(constants.REPLY_MESSAGE) == b"Code please"
        assert client.ask("alice", typed, given).code == ACCESS_ACCEPT  # begun before
    home.becomes("aad", "active")  # no longer "reloading"
    assert home.main_pid() == before


def test_a_bad_reload_changes_nothing_and_says_so(home: Home) -> None:
    home.begin()
    before = home.main_pid()
    home.configure("[nonsense]\n")
    home.systemctl("reload", "aad")
    until(lambda: "the last reload was refused" in home.show("aad", "StatusText"))
    until(lambda: "nonsense" in home.said())
    home.becomes("aad", "active")
    assert home.main_pid() == before
    with home.client() as client:
        assert challenged(home, client)


def test_a_bad_configuration_is_not_tried_again(home: Home) -> None:
    home.configure("[nonsense]\n")
    assert home.done("systemctl", "start", "aad").returncode
    home.becomes("aad", "failed")
    assert home.show("aad", "ExecMainStatus") == str(os.EX_CONFIG)
    assert home.show("aad", "NRestarts") == "0"


def test_the_watchdog_restarts_a_daemon_that_hangs(home: Home) -> None:
    home.drop_in("[Service]\nWatchdogSec=2s\n")
    home.begin()
    with home.client() as client:
        typed, given = challenged(home, client)
        for _ in range(3):
            last = home.show("aad", "WatchdogTimestampMonotonic")
            until(lambda: home.show("aad", "WatchdogTimestampMonotonic") != last, what="a sign of life")  # noqa: B023
        assert home.show("aad", "NRestarts") == "0"
        os.kill(home.main_pid(), signal.SIGSTOP)
        until(lambda: home.show("aad", "NRestarts") == "1", 20)
        home.becomes("aad", "active")
        assert client.ask("alice", typed, given).code == ACCESS_ACCEPT
    assert "Watchdog timeout" in home.said()
    assert "Fatal Python error: Aborted" in home.said()  # and then where it hung


def test_kill_9_costs_nobody_his_login(home: Home) -> None:
    home.begin()
    with home.client() as client:
        typed, given = challenged(home, client)
        os.kill(home.main_pid(), signal.SIGKILL)
        until(lambda: home.show("aad", "NRestarts") == "1")
        home.becomes("aad", "active")
        assert client.ask("alice", typed, given).code == ACCESS_ACCEPT


def test_credentials_are_readable_by_the_daemon_only(home: Home) -> None:
    home.begin()
    assert home.run("stat", "-c", "%U %a", CREDENTIAL) == "aad 400"
    assert home.done("cat", CREDENTIAL, user="aad").returncode == 0
    for place in (CREDENTIAL, "/etc/aad/credentials/gateway.secret", "/etc/aad/aad.toml", "/var/lib/aad/state.db"):
        assert "Permission denied" in home.run("cat", place, user="nobody", check=False)
    assert "Permission denied" in home.run("cat", "/etc/aad/credentials/gateway.secret", user="aad", check=False)
    for user in ("aad", "nobody"):
        said = home.run("aad", "check", user=user, check=False).splitlines()
        assert said
        assert all("Permission denied" in line or "is for the daemon and root only" in line for line in said)
    assert home.run("aad", "check") == "/etc/aad/aad.toml: fine"  # root, by hand, reads the folder itself


def test_without_a_folder_of_credentials_the_unit_starts_all_the_same(home: Home) -> None:
    home.run("rm", "-r", "/etc/aad/credentials")
    home.write("/etc/aad/gateway.secret", SECRET, 0o640, "root:aad")
    text = CONFIGURATION.format(port=home.mailbox.port).replace("credential =", "file =")
    home.write("/etc/aad/aad.toml", text, 0o640, "root:aad")
    home.begin()
    with home.client() as client:
        assert challenged(home, client)


def test_a_log_file_and_a_metrics_socket_have_their_places(home: Home) -> None:
    log, metrics = "/var/log/aad/aad.log", "/run/aad/metrics.sock"
    home.configure(f'[log]\nto = "file"\nfile = "{log}"\n[metrics]\nlisten = "unix:{metrics}"\n')
    home.begin()
    assert "daemon.started" in home.run("cat", log)
    assert home.run("stat", "-c", "%U:%G", log, metrics) == "aad:aad\naad:aad"
    home.systemctl("restart", "aad")
    assert home.run("cat", log).count("daemon.started") == 2


def test_a_second_instance_refuses(home: Home) -> None:
    home.begin()
    done = home.done("aad", "serve")
    assert done.returncode == 1
    assert b"can't listen on 0.0.0.0 port 1812: Address already in use" in done.stdout
    with home.client() as client:
        assert challenged(home, client)


def test_memory_tasks_and_cores_are_bounded(home: Home) -> None:
    home.begin()
    assert (home.show("aad", "MemoryMax"), home.show("aad", "TasksMax")) == (str(1 << 30), "512")
    status = home.run("cat", f"/proc/{home.show('aad', 'MainPID')}/limits")
    assert re.search(r"^Max core file size +0 +0 ", status, re.MULTILINE)
    assert home.run("stat", "-c", "%U", f"/proc/{home.show('aad', 'MainPID')}/mem") == "root"
