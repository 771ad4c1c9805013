"""What tools/bench works out, refuses and draws; and one very short real run."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.child import Child
from tests.parts.waiting import until
from tools.bench_parts import growth, plot
from tools.bench_parts.checkouts import HERE, CannotMeasureError, other, this, without
from tools.bench_parts.figures import Cost, Demand, Run, Spread, Tally, ratio, run_of, spread
from tools.bench_parts.options import parsed
from tools.bench_parts.progress import Progress
from tools.bench_parts.table import NOISE, aligned, notes, table, written
from tools.parts.readings import family

AT_16, AT_400 = Demand(in_flight=16), Demand(rate=400.0)
COST = Cost(cpu=1.5, directory=0.3, load=0.6, peak=60.0, pss=50.0)
RUN = run_of(Tally(begun=1000, accepted=1000, seconds=2.0, challenge=[1.0, 3.0], accept=[2.0]), COST)


def runs(*speeds: float) -> list[Run]:
    return [replace(RUN, per_second=speed) for speed in speeds]


def test_a_run_in_figures() -> None:
    tally = Tally(accepted=3, seconds=1.5, losses={"no mail": 2}, challenge=[1.0, 2.0, 9.0], accept=[4.0] * 3, shed=7)
    run = run_of(tally, COST)
    assert (run.per_second, run.cpu_ms, run.lost, run.shed) == (2.0, 500.0, 2, 7)
    assert (run.challenge_p50, run.accept_p50, run.accept_p99) == (2.0, 4.0, 4.0)
    assert 8.0 < run.challenge_p99 <= 9.0
    assert (round(run.directory_ms), round(run.load_ms), run.peak_mib, run.pss_mib) == (100, 200, 60.0, 50.0)


def test_a_run_in_which_nobody_got_in() -> None:
    run = run_of(Tally(begun=4, losses={"no reply to the password": 4}), COST)
    assert (run.per_second, run.cpu_ms, run.challenge_p99, run.lost) == (0.0, 0.0, 0.0, 4)


def test_a_median_and_its_spread() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert written(Spread(2.0, 1.25, 3.0), 1) == "2.0 (1.2-3.0)"
    assert written(Spread(2.01, 1.99, 2.02), 0) == "2"


def test_a_difference_that_every_round_shows_is_no_noise() -> None:
    compared = ratio([110.0, 120.0, 130.0], [100.0, 100.0, 100.0])
    assert compared is not None
    assert compared.spread == Spread(1.2, 1.1, 1.3)
    assert not compared.noise


@pytest.mark.parametrize(
    ("ones", "others"),
    [
        ([110.0, 120.0, 99.0], [100.0] * 3),  # a round says otherwise
        ([100.0, 120.0, 130.0], [100.0] * 3),  # ... or nothing
        ([110.0, 120.0], [100.0] * 2),  # two are too few
    ],
)
def test_a_difference_within_the_noise(ones: list[float], others: list[float]) -> None:
    compared = ratio(ones, others)
    assert compared is not None
    assert compared.noise


def test_nothing_is_compared_with_nothing() -> None:
    assert ratio([1.0, 2.0], [1.0, 0.0]) is None
    assert ratio([0.0], [1.0]) is None


def test_the_table_can_be_read_as_it_is_and_as_markdown() -> None:
    lines = table({("this", AT_16): runs(500, 510, 490), ("this", AT_400): runs(400)}, ["this"]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines] == ["", "-" * 12, "16 in flight", "400/s"]
    assert "| 500 (490-510) |" in lines[2]
    assert "1.50" in lines[2]


def test_the_table_of_two_checkouts_says_what_is_noise() -> None:
    measured = {("this", AT_16): runs(600, 610, 620), ("main", AT_16): runs(500, 510, 490)}
    lines = table(measured, ["this", "main"]).splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["this", "main", "ratio"]
    assert "1.22 (1.20-1.27) |" in lines[-1]
    assert f"1.00 {NOISE}" in lines[-1]  # the latencies
    measured["main", AT_16] = runs(600, 630, 590)
    assert f"1.02 (0.97-1.05) {NOISE}" in table(measured, ["this", "main"])


def test_what_makes_figures_doubtful_is_said() -> None:
    said = "\n".join(notes({("this", AT_400): [replace(RUN, shed=12, behind=80.0, strangers=0.4)]}, ["this"]))
    assert "12 logins were not begun" in said
    assert "late by up to 80 ms" in said
    assert "up to 40% of this machine went to programs that" in said
    assert "0.30 ms of CPU per login" in said
    assert not re.search("not begun|late by|went to programs", "\n".join(notes({("this", AT_400): [RUN]}, ["this"])))
    assert "can't tell" in "\n".join(notes({("this", AT_16): [RUN], ("main", AT_16): [RUN]}, ["this", "main"]))


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned([["a", "long head"], ["longer", "b"]]).splitlines()[0] == "| a      | long head |"


def test_what_is_measured_by_default() -> None:
    options = parsed([])
    assert options.demands == (Demand(in_flight=1), Demand(in_flight=16), Demand(in_flight=64))
    assert (options.rounds, options.workers, options.log, options.store) == (3, 1, "stderr", "sqlite")
    assert parsed(["--against", "main"]).rounds == 5
    assert parsed(["--rate", "100,200.5"]).demands == (Demand(rate=100.0), Demand(rate=200.5))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--in-flight 4 --rate 100", "choose one"),
        ("--plot f.png", "several rates"),
        ("--plot f.png --rate 100", "several rates"),
        ("--plot f.svg --rate 100,200", "should end in .png"),
        ("--plot nowhere/f.png --rate 100,200", "no folder"),
        ("--json nowhere/f.json", "no folder"),
        ("--names 100 --clients 100", "choose one"),
        ("--names 100 --against main", "leave out"),
        ("--clients 100 --in-flight 3", "leave out"),
        ("--names 100 --store valkey", "leave out --store"),
        ("--in-flight 5000", "more than 2000"),
        ("--in-flight 1,x", "should be a number"),
        ("--in-flight 1.5", "should be a whole number"),
        ("--workers 0", "should be more than 0"),
        ("--seconds nan", "should be more than 0"),
        ("--log syslog", "choose from"),
    ],
)
def test_what_makes_no_sense_is_refused(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(words.split())
    assert ended.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_keys_that_the_other_checkout_does_not_know_are_left_out() -> None:
    text = '[limits]\nmails_total = "1 per 1m"\nwaiting = 3\n[senders.mail]\nwaiting = 4\n'
    assert without(text, ["limits.waiting", "limits.mails_total"]) == "[limits]\n[senders.mail]\nwaiting = 4\n"


def test_a_checkout_is_asked_which_keys_it_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "aad.toml"
    file.touch(mode=0o600)
    file.write_text("[limits]\nnonsense = 1\nwaiting = 3\n[senders.mail]\nmoods = 4\n[clients.gw]\n")
    assert this().unknown(file) == {"limits.nonsense", "senders.mail.moods"}


def test_a_checkout_that_is_none(tmp_path: Path) -> None:
    for revision in ("no-such-branch", str(tmp_path), "--help"):
        with pytest.raises(CannotMeasureError, match="neither a commit"), other(revision, tmp_path):
            pass
    with pytest.raises(CannotMeasureError, match="is this checkout"), other(str(HERE), tmp_path):
        pass


def test_a_folder_with_a_checkout_is_taken_as_it_is(tmp_path: Path) -> None:
    tree = tmp_path / "old"
    (tree / "aad").mkdir(parents=True)
    (tree / "aad" / "__init__.py").touch()
    with other(str(tree), tmp_path) as checkout:
        assert (checkout.name, checkout.folder) == ("old", tree)
    assert tree.exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_rewrites_a_line_where_somebody_watches_only() -> None:
    for stream, expected in ((io.StringIO(), "done\n"), (Terminal(), "\r\x1b[Khalf\r\x1b[Kdone\n\r\x1b[K")):
        progress = Progress(stream)
        progress.passing("half")
        progress.say("done")
        progress.clear()
        assert stream.getvalue() == expected


def test_the_networks_of_many_clients_are_told_apart() -> None:
    theirs = list(growth.networks(1000))
    assert len(set(theirs)) == 1000
    assert {network.partition("/")[2] for network in theirs} == {"32", "29", "28", "24"}
    assert growth.lookup(30_000, clock=iter((1.0, 31.0)).__next__) == pytest.approx(0.001)


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    demands = [Demand(rate=rate) for rate in (100.0, 200.0, 400.0)]
    measured = {(name, demand): runs(demand.rate, demand.rate - 1) for name in ("this", "main") for demand in demands}
    plot.draw(measured, ["this", "main"], "a title", tmp_path / "f.png")
    octets = (tmp_path / "f.png").read_bytes()
    assert octets.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(octets) > 20_000


def bench(*words: str) -> list[str]:
    return [sys.executable, "-m", "tools.bench_parts.main", *words]


def test_a_very_short_run(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    words = ("--rate", "20", "--seconds", "1", "--rounds", "1", "--mail-ms", "20", "--json", str(file))
    done = subprocess.run(bench(*words), cwd=HERE, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(file.read_text())["runs"]
    assert run["lost"] == 0
    assert 10 < run["per_second"] < 30
    assert 0 < run["cpu_ms"] < 100
    assert run["peak_mib"] > 20
    assert "| 20/s |" in done.stdout
    assert re.fullmatch(r"round 1 of 1, 20/s: \d+ logins/s, [\d.]+ ms of CPU each\n", done.stderr)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    tool = Child(
        bench("--in-flight", "2", "--seconds", "60"), tmp_path / "bench.log", cwd=HERE, env={"TMPDIR": str(tmp_path)}
    )
    with tool:
        until(lambda: list(tmp_path.glob("aad-bench-*/aad-this/state.db")), 60, "a daemon")
        before = family(tool.pid)
        tool.signal(signal.SIGINT)
        until(lambda: not tool.alive, 30, "its end")
        assert tool.returncode == 130
    assert len(before) >= 4  # itself, slapd, load and daemon
    assert not [pid for pid in before if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.glob("aad-bench-*"))
