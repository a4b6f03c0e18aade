"""Runs the sections of `scripts/bench`, prints the table, and writes it to benches/RESULTS.md."""

import contextlib
import dataclasses
import importlib
import json
import os
import pathlib
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Optional

from kit import machine
from kit.provider import Provider
from kit.rows import missing, table

SECTIONS = ("status", "refusal", "tokens", "submit", "memory", "growth", "connections", "overload", "strangers")
ON_DEMAND = ("held", "instructions")
RESULTS = pathlib.Path("benches/RESULTS.md")


@dataclasses.dataclass
class Run:
    """What the sections work with."""

    dir: pathlib.Path
    rounds: int
    seconds: int
    log_to: str
    anteroom: pathlib.Path
    bare: pathlib.Path
    raw_sqlite: pathlib.Path
    postgres_bin: Optional[pathlib.Path]
    haproxy: bool
    secret: str = dataclasses.field(default_factory=lambda: secrets.token_hex(32))
    processes: list = dataclasses.field(default_factory=list)
    unexpected: list = dataclasses.field(default_factory=list)
    names: list = dataclasses.field(default_factory=list)
    providers: list = dataclasses.field(default_factory=list)
    stored: int = 0

    def fresh(self, name):
        """A file that nobody else has."""
        self.names.append(name)
        return self.dir / f"{len(self.names)}-{name}"

    def provider(self):
        """An issuer of RS256 tokens, started when it is first asked for."""
        if not self.providers:
            self.providers.append(Provider(self))
            self.providers[0].start()
        return self.providers[0]

    @staticmethod
    def say(text):
        print(text, file=sys.stderr, flush=True)


def postgres_bin():
    found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench")
    return max((path.parent for path in found), key=lambda path: float(path.parent.name), default=None)


def built(names):
    """Where the yardsticks that cargo built are."""
    found = {}
    for line in sys.stdin:
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable") and message["target"]["name"] in names:
            found[message["target"]["name"]] = pathlib.Path(message["executable"])
    return found


def measure(run, wanted):
    """The rows of each section. One that breaks down says so in a row, and the others go on."""
    rows = []
    for name in wanted:
        run.say(f"{name}: {time.strftime('%H:%M:%S')}")
        try:
            rows += importlib.import_module(f"sections.{name}").section(run)
        except Exception as trouble:
            traceback.print_exc()
            run.unexpected.append(f"{name}: {type(trouble).__name__}: {trouble}")
            rows.append(missing(f"section {name}", "it broke down; see below"))
        for process in list(run.processes):
            if not (run.providers and process is run.providers[0].process):
                process.kill()
                process.wait()
                run.processes.remove(process)
    return rows


def report(run, wanted, rows, began):
    took = time.monotonic() - began
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.facts(run).items())
    judged = [row for row in rows if row.met]
    summary = ", ".join(f"{len([row for row in judged if row.met == word])} {word}" for word in ("met", "MISSED", "not measured"))
    unexpected = "".join(f"- {line}\n" for line in run.unexpected)
    return f"""# How fast it is

Written by `{' '.join(['scripts/bench', *wanted])}` in {took / 60:.1f} min; nothing here was entered by hand. Program and yardsticks ran in turn on one
machine, the clients (wrk, Python) on the same cores. Figures are medians over {run.rounds} rounds of {run.seconds} s for each; ratios are those of the medians,
in brackets the least and the largest of a round. Each row says what it was measured beside, and how it was got.

{facts}

Targets: {summary}.

{table(rows)}

{'Unexpected:' if unexpected else 'Every answer was the expected one.'}
{unexpected}""".rstrip() + "\n"


def allow_files(enough=20_000):
    """As many open files as ten thousand connections take, or as many as there may be."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):  # root may raise the limit
        if most != resource.RLIM_INFINITY and most < enough:
            resource.setrlimit(resource.RLIMIT_NOFILE, (enough, enough))
            return
    files = enough if most == resource.RLIM_INFINITY else most
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def main():
    wanted = sys.argv[1:] or list(SECTIONS)
    strange = set(wanted) - set(SECTIONS) - set(ON_DEMAND)
    if strange:
        sys.exit(f"scripts/bench: no section {', '.join(strange)}; there are {', '.join(SECTIONS + ON_DEMAND)}")
    umask = os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    for name in [name for name in os.environ if name.startswith("ANTEROOM_")]:
        del os.environ[name]
    allow_files()
    programs = built(("anteroom", "bare", "raw_sqlite"))
    # A disk, where /tmp may be memory. PostgreSQL's user has to get through.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("TMPDIR") or "/var/tmp"))
    folder.chmod(0o711)
    run = Run(
        folder, int(os.environ.get("ROUNDS", 3)), int(os.environ.get("SECONDS_EACH", 3)), os.environ.get("LOG_TO", os.devnull),
        **programs, postgres_bin=postgres_bin(), haproxy=bool(shutil.which("haproxy")),
    )
    began = time.monotonic()
    try:
        text = report(run, wanted if sys.argv[1:] else [], measure(run, wanted), began)
    finally:
        for process in run.processes:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print(text)
    if not sys.argv[1:]:
        os.umask(umask)
        RESULTS.write_text(text)
    sys.exit("not every answer was the expected one" if run.unexpected else 0)


if __name__ == "__main__":
    main()
