"""Runs of wrk, and of the program and its yardsticks in turn."""

import dataclasses
import os
import subprocess
from typing import Optional


@dataclasses.dataclass
class Result:
    """What came of a run: how many a second were answered as expected, how long that took, and how many were not."""

    per_second: float
    p50: Optional[float] = None
    p99: Optional[float] = None
    bad: int = 0
    counts: Optional[dict] = None


def start_wrk(address, path, connections=64, seconds=3, **environment):
    """Starts wrk with benches/wrk.lua; `environment` says what it sends."""
    threads = min(2, connections)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", "benches/wrk.lua", f"http://{address}{path}"]
    variables = dict(os.environ, **{name: str(value) for name, value in environment.items()})
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)


def finish_wrk(process):
    text, _ = process.communicate()
    line = next((line for line in text.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise AssertionError(f"wrk gave no result: {text}")
    each, p50, p99, bad, *counts = line.split()[1:]
    return Result(float(each), float(p50), float(p99), int(bad), {int(status): int(n) for status, n in (pair.split("=") for pair in counts)})


def wrk(address, path, **how):
    """One run."""
    return finish_wrk(start_wrk(address, path, **how))


def in_turn(run, work, contenders):
    """Each contender, a function that gives a Result, once in each round, one after the other. Gives their results by name."""
    results = {name: [] for name in contenders}
    for _ in range(run.rounds):
        for name, measure in contenders.items():
            result = measure()
            results[name].append(result)
            run.say(f"  {work}: {name} {result.per_second:,.0f}/s, p99 {result.p99} ms" + (f", {result.bad} UNEXPECTED" if result.bad else ""))
            if result.bad:
                run.unexpected.append(f"{work}: {result.bad} answers of {name} were not the expected ones")
    return results
