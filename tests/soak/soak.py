"""Many messages over ``udp:``, with processes killed and started again: ``python tests/soak/soak.py [--messages N]``.

Two senders and three receivers, unpaced, on a group of their own. The first of each lives through it all, the others
are killed (SIGKILL) at random and started again with the same address. What must hold:

- every message that was handed over is acknowledged or is not, at the end of each life that ends by itself;
- an acknowledged message was read by the program of its receiver, once, unless the receiver was killed just then;
- ``stats()`` says what the program saw, and but for very few each broadcast was read by who lived, once;
- the memory of those who live through it all does not grow, nobody's descriptors and threads do, nobody prints.

The seed decides who is killed and when; what else happens is up to the computer. Needs Linux (``/proc``).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import ledger as books

HERE = Path(__file__).parent
SENDERS, RECEIVERS = 2, 3

#: How much more memory one may have in its last quarter than in its second.
GROWTH_KB = 768
#: Of so many messages between those who live, one may stay without an acknowledgement: the computer is not theirs.
UNANSWERED = 2_000
#: Of so many broadcasts, which nobody acknowledges, one may be missed by who lives: the socket was full.
MISSED = 5_000
#: Acknowledged messages that one life may take with it: a program that reads is not farther behind.
LOST_TO_A_KILL = 500


@dataclass
class Process:
    """A place in the soak, and who has it.

    Attributes:
        role: sender or receiver.
        slot: number among those of its role.
        life: number of its process, from 1.
        rss_kb: memory of its own, as it was from time to time in this life.
        fds: and how many descriptors it had.
        threads: and threads.
    """

    role: str
    slot: int
    life: int = 0
    process: subprocess.Popen[str] | None = None
    rss_kb: list[int] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.role} {self.slot}"

    @property
    def survives(self) -> bool:
        return self.slot == 0


class Soak:
    """One soak.

    Attributes:
        problems: what did not hold.
        kills: how many processes were killed.
    """

    def __init__(self, folder: Path, messages: int, seconds: float, seed: int, kill_every_s: float) -> None:
        self.problems: list[str] = []
        self.kills = 0
        self._folder = folder
        self._messages = messages
        self._seconds = seconds
        self._kill_every_s = kill_every_s
        self._chance = random.Random(seed)
        # A byte a message and sender: one may have to send all.
        self._room = messages + 1000
        senders = [Process("sender", slot) for slot in range(SENDERS)]
        receivers = [Process("receiver", slot) for slot in range(RECEIVERS)]
        self._processes = [*receivers, *senders]
        plan = {
            "messages": self._room,
            "seed": seed,
            "senders": SENDERS,
            "receivers": [self._address(receiver) for receiver in receivers],
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        self._sent = [books.Ledger(folder / f"sent-{slot}", self._room) for slot in range(SENDERS)]
        port = 20_000 + self._chance.randrange(10_000) + os.getpid() % 10_000
        self._radio = f"udp:239.24.254.{self._chance.randrange(60, 250)}:{port}?pace=off"

    def run(self) -> dict[str, object]:
        """Let it run, and return its figures."""
        for role in ("receiver", "sender"):
            for process in self._processes:
                if process.role == role:
                    self._start(process)
            self._await_ready(role)
        begin = time.monotonic()
        next_kill = begin + self._kill_every_s
        next_look = begin + 1
        dead: list[tuple[float, Process]] = []
        while self._handed() < self._messages and time.monotonic() - begin < self._seconds and not self.problems:
            time.sleep(0.05)
            now = time.monotonic()
            if now >= next_kill:
                next_kill = now + self._chance.expovariate(1 / self._kill_every_s)
                victim = self._chance.choice([each for each in self._processes if not each.survives])
                if victim not in [each for _, each in dead]:
                    self._kill(victim)
                    dead.append((now + self._chance.random() / 2, victim))
            for entry in [entry for entry in dead if entry[0] <= now]:
                dead.remove(entry)
                self._start(entry[1])
            for process in self._processes:
                if process.survives and process.process is not None and process.process.poll() is not None:
                    self.problems.append(f"{process.name} ended by itself")
            if now >= next_look:
                next_look = now + max(1.0, (now - begin) / 200)
                self._look()
                self._progress(now - begin)
        for _, process in dead:
            self._start(process)
        took_s = time.monotonic() - begin
        ended = self._end()
        return self._figures(took_s, ended)

    # Processes.

    def _is_ready(self, process: Process) -> bool:
        """Whether its program is past its beginning in this life."""
        try:
            return (self._folder / f"ready-{process.role}-{process.slot}").read_text() == str(process.life)
        except OSError:
            return False

    def _await_ready(self, role: str) -> None:
        until = time.monotonic() + 60
        while not all(self._is_ready(process) for process in self._processes if process.role == role):
            if time.monotonic() > until:
                self.problems.append(f"the {role}s do not begin")
                return
            time.sleep(0.05)

    def _address(self, process: Process) -> str:
        return f"30505a{process.role == 'sender':02x}00{process.slot * 4:02x}"

    def _start(self, process: Process) -> None:
        process.life += 1
        for samples in (process.rss_kb, process.fds, process.threads):
            samples.clear()
        address = self._address(process)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ESPNOW")}
        environment |= {
            "ESPNOW_RADIO": self._radio,
            "ESPNOW_MAC": ":".join(address[at : at + 2] for at in range(0, 12, 2)),
        }
        words = [process.role, str(self._folder), str(process.slot), str(process.life), str(os.getpid())]
        with (self._folder / f"{process.role}-{process.slot}.err").open("a") as errors:
            process.process = subprocess.Popen(
                [sys.executable, str(HERE / "worker.py"), *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def _kill(self, process: Process) -> None:
        assert process.process is not None
        if process.process.poll() is not None:
            self.problems.append(f"{process.name} ended by itself in its life {process.life}")
        process.process.kill()
        process.process.communicate()
        self._check_samples(process)
        self.kills += 1

    def kill_all(self) -> None:
        """End whoever is left."""
        for process in self._processes:
            if process.process is not None and process.process.poll() is None:
                process.process.kill()
                process.process.communicate()

    def _end(self) -> dict[str, list[dict[str, object]]]:
        """Let everybody end by itself: the senders, then, when all is read, the receivers."""
        found: dict[str, list[dict[str, object]]] = {}
        for role in ("sender", "receiver"):
            (self._folder / f"stop-{role}s").touch()
            for process in [each for each in self._processes if each.role == role]:
                assert process.process is not None
                try:
                    output, _ = process.process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    self.problems.append(f"{process.name} does not end")
                    process.process.kill()
                    process.process.communicate()
                    continue
                if process.process.returncode:
                    self.problems.append(f"{process.name} ended with {process.process.returncode}")
                    continue
                found.setdefault(role, []).append({"slot": process.slot, **json.loads(output)})
                self._check_samples(process)
            time.sleep(0.5)
        for path in sorted(self._folder.glob("*.err")):
            if path.stat().st_size:
                self.problems.append(f"{path.stem} printed: {path.read_text()[-2000:]}")
        return found

    # What they take.

    def _look(self) -> None:
        for process in self._processes:
            if process.process is None or process.process.poll() is not None or not self._is_ready(process):
                continue
            proc = Path("/proc") / str(process.process.pid)
            try:
                status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line)
                descriptors = len(list((proc / "fd").iterdir()))
            except OSError:  # it was killed meanwhile
                continue
            process.rss_kb.append(int(status["RssAnon"].split()[0]))
            process.threads.append(int(status["Threads"]))
            process.fds.append(descriptors)

    def _check_samples(self, process: Process) -> None:
        """Check what a process took in a life."""
        for what, samples in (("descriptors", process.fds), ("threads", process.threads)):
            if samples and max(samples) > samples[0]:
                self.problems.append(f"{process.name}: {what} went from {samples[0]} to {max(samples)}")
        growth_kb = growth(process.rss_kb)
        if process.survives and growth_kb is not None and growth_kb > GROWTH_KB:
            self.problems.append(f"{process.name}: {growth_kb:.0f} kB more memory")

    # What they did.

    def _handed(self) -> int:
        return sum(book.head[0] for book in self._sent)

    def _progress(self, after_s: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{after_s:.0f} s, {self._handed():,} messages, {self.kills} kills   ", end="", file=sys.stderr)

    def _figures(self, took_s: float, ended: dict[str, list[dict[str, object]]]) -> dict[str, object]:
        totals = books.Account()
        survivors_unanswered = survivors_messages = 0
        for sender in range(SENDERS):
            sent = self._sent[sender].copy(self._sent[sender].head[0])
            self._check_sender(sender, sent, ended)
            for receiver in [each for each in self._processes if each.role == "receiver"]:
                page = books.Ledger(self._folder / f"read-{receiver.slot}-{sender}", self._room)
                account = books.audit(sent, page.copy(len(sent)), receiver.slot, receiver.life)
                pair = f"sender {sender} to {receiver.name}"
                if account.vanished or account.misread:
                    self.problems.append(f"{pair}: {account}")
                if receiver.survives:
                    missed = account.broadcasts - account.broadcasts_read
                    if missed * MISSED > account.broadcasts + MISSED:
                        self.problems.append(f"{pair}: {missed} of {account.broadcasts} broadcasts were missed")
                    if account.lost_to_kills:
                        self.problems.append(f"{pair}: {account.lost_to_kills} lost, and nobody killed it")
                    if sender == 0:
                        survivors_unanswered = account.unacknowledged
                        survivors_messages = account.acknowledged + account.unacknowledged
                for name, value in vars(account).items():
                    known = getattr(totals, name)
                    setattr(totals, name, max(known, value) if name == "most_lost" else known + value)
        self._check_receivers(ended)
        if totals.most_lost > LOST_TO_A_KILL:
            self.problems.append(f"{totals.most_lost} acknowledged messages were lost with one life of a receiver")
        if survivors_unanswered * UNANSWERED > survivors_messages + UNANSWERED:
            self.problems.append(f"survivors: {survivors_unanswered} of {survivors_messages} not acknowledged")
        return {
            "messages": self._handed(),
            "seconds": round(took_s, 1),
            "a_second": round(self._handed() / took_s),
            "kills": self.kills,
            **vars(totals),
            "between_survivors": survivors_messages,
            "not_acknowledged_between_survivors": survivors_unanswered,
            "growth_kb": {p.name: round(growth(p.rss_kb) or 0) for p in self._processes if p.survives},
            "rss_kb": {p.name: p.rss_kb[-1] for p in self._processes if p.survives and p.rss_kb},
            "descriptors": {p.name: p.fds[-1] for p in self._processes if p.survives and p.fds},
            "threads": {p.name: p.threads[-1] for p in self._processes if p.survives and p.threads},
        }

    def _check_sender(self, slot: int, sent: bytes, ended: dict[str, list[dict[str, object]]]) -> None:
        """Check the account of the last life, and that earlier ones left no more open than they had under way."""
        fates = books.became(sent)
        lives = next(each.life for each in self._processes if (each.role, each.slot) == ("sender", slot))
        if fates.get(0) or fates.get(books.HANDED, 0) > lives - 1 or fates.get(books.IN_BATCH, 0) > 20 * (lives - 1):
            self.problems.append(f"sender {slot}: fates {fates} in {lives} lives")
        for found in ended.get("sender", []):
            if found["slot"] != slot:
                continue
            first, handed, yes, no = (
                int(str(found[name])) for name in ("first", "handed", "acknowledged", "not_acknowledged")
            )
            stats = found["stats"]
            assert isinstance(stats, list)
            if handed != len(sent) - first or handed != yes + no or stats[:3] != [handed, handed, no]:
                self.problems.append(f"sender {slot}: {found}, and its ledger has {len(sent) - first} of this life")

    def _check_receivers(self, ended: dict[str, list[dict[str, object]]]) -> None:
        for found in ended.get("receiver", []):
            head = books.Ledger(self._folder / f"read-{found['slot']}-0", self._room).head
            if head[1]:
                self.problems.append(f"receiver {found['slot']} read {head[1]} messages twice in one life")
            stats = found["stats"]
            assert isinstance(stats, list)
            if found["foreign"] or stats != [0, 0, 0, found["read"], 0]:
                self.problems.append(f"receiver {found['slot']}: {found}")


def growth(samples: list[int]) -> float | None:
    """Return by how much the last quarter is more than the second; None for too few samples."""
    quarter = len(samples) // 4
    if quarter < 3:
        return None
    return statistics.median(samples[-quarter:]) - statistics.median(samples[quarter : 2 * quarter])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000_000, help="stop after so many (default: 10 million)")
    parser.add_argument("--seconds", type=float, default=7200.0, help="or after so long (default: two hours)")
    parser.add_argument("--seed", type=int, default=1, help="who is killed, and when")
    parser.add_argument("--kill-every", type=float, default=2.0, help="how often, on average, in seconds (default: 2)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everybody ends, and the folder is gone
    with tempfile.TemporaryDirectory(prefix="espnow-soak-") as folder:
        soak = Soak(Path(folder), arguments.messages, arguments.seconds, arguments.seed, arguments.kill_every)
        try:
            figures = soak.run()
        finally:
            soak.kill_all()
    print(json.dumps(figures, indent=2))
    for problem in soak.problems:
        print(problem, file=sys.stderr)
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
