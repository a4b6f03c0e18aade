"""A thousand connections that submit as fast as they can, and one well-behaved client beside them; with the quotas that hold by default."""

import threading
import time

from kit.calls import Caller
from kit.gateway import PAYLOAD, Gateway
from kit.load import finish_wrk, start_wrk
from kit.rows import Row, below, mib, milliseconds, verdict

SECONDS = 20
EVERY = 0.02


class Watch(threading.Thread):
    """Does something again and again until it is told to end."""

    def __init__(self, act, every):
        super().__init__()
        self.act, self.every, self.going, self.trouble = act, every, True, None

    def run(self):
        due = time.perf_counter()
        try:
            while self.going:
                self.act()
                due = max(due + self.every, time.perf_counter())
                time.sleep(max(0.0, due - time.perf_counter()))
        except Exception as trouble:  # told by `end`, in the thread that waits
            self.trouble = trouble

    def end(self):
        self.going = False
        self.join()
        if self.trouble:
            raise self.trouble


class Quiet:
    """The well-behaved client: one submission every 20 ms, read back now and then."""

    def __init__(self, gateway):
        self.caller = Caller(gateway.address, gateway.token("quiet"))
        self.accepted, self.took, self.told, self.wrong = [], [], 0, []

    def submit(self):
        """Seconds that a submission took, and whether it was accepted."""
        began = time.perf_counter()
        status, headers, body = self.caller.call("POST", "/v1/requests", {"payload": PAYLOAD})
        took = time.perf_counter() - began
        if status == 202:
            self.took.append(took * 1000)
            self.accepted.append(body.split(b'"request_id":"')[1].split(b'"')[0].decode())
        elif status in (429, 503) and headers.get("Retry-After"):
            self.told += 1
        else:
            self.wrong.append(status)
        return took, status == 202

    def until_normal(self, since):
        """Seconds until the first of ten submissions in a row that are accepted within 50 ms."""
        row, first = 0, None
        while row < 10:
            began = time.perf_counter()
            took, accepted = self.submit()
            first, row = (first if row else began, row + 1) if accepted and took < 0.05 else (None, 0)
            assert time.perf_counter() < since + 60, "service is not normal after a minute"
            time.sleep(EVERY / 2)
        return first - since


def hundredth(values, share=99):
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)] if values else float("inf")


def loaded(gateway, tokens, quiet, watches):
    """The load, with the watches beside it: what wrk says, and the seconds until service was normal."""
    for watch in watches:
        watch.start()
    load = start_wrk(gateway.address, "/v1/requests", connections=1000, seconds=SECONDS, BENCH="submit", TOKENS=tokens, COUNT=1)
    try:
        result = finish_wrk(load)
        ended = time.perf_counter()
    finally:
        for watch in watches:
            watch.end()
    return result, quiet.until_normal(ended)


def section(run):
    with Gateway(run, "overload", quotas=False) as gateway:
        tokens, quiet, health = gateway.token_file(), Quiet(gateway), Caller(gateway.address)
        for _ in range(100):
            quiet.submit()
        before, memory, healthy = gateway.resident_mib(), [], []
        quiet.took.clear()

        def ask_health():
            began = time.perf_counter()
            health.expect(200, "GET", "/healthz")
            healthy.append((time.perf_counter() - began) * 1000)

        watches = [Watch(quiet.submit, EVERY), Watch(ask_health, 0.1), Watch(lambda: memory.append(gateway.resident_mib()), 0.25)]
        result, normal = loaded(gateway, tokens, quiet, watches)
        during = list(quiet.took)
        time.sleep(1)
        after, answered = gateway.resident_mib(), gateway.statuses("/v1/requests")
        gateway.stop()
        stored = {request_id for (request_id,) in gateway.query("SELECT id FROM requests")}
    run.say(f"  overload: wrk saw {result.counts}, the gateway says {dict(answered)}")
    return told(run, quiet, during, healthy, result, answered, stored, normal) + remembered(before, memory, after)


def told(run, quiet, during, healthy, result, answered, stored, normal):
    seen = result.counts.get(202, 0)
    # There may be more rows than answers: of the last requests wrk did not wait for the answer.
    lost = len(set(quiet.accepted) - stored) + max(0, answered[202] - len(stored), seen + len(quiet.accepted) - len(stored))
    strange = {status: count for status, count in result.counts.items() if status not in (202, 429, 503)}
    if lost or strange or quiet.wrong:
        run.unexpected.append(f"overload: {lost} accepted requests are lost; wrong answers {strange}, to the quiet client {quiet.wrong[:5]}")
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(result.counts.items()))
    how = f"wrk -t2 -c1000 for {SECONDS} s, POST of 1 KiB, quotas as they are by default: {answers}"
    p99 = hundredth(during)
    fine = p99 < 1000 or bool(quiet.told)
    figure = f"p50 {milliseconds(hundredth(during, 50))}, p99 {milliseconds(p99)}; {quiet.told} of {len(during) + quiet.told} told 429 or 503 with Retry-After"
    rows = [Row("overload: a quiet client beside it", figure, target="p99 < 1 s, or told", met=verdict(fine and not quiet.wrong), how=how + "; the quiet client submits every 20 ms")]
    how = f"{seen + len(quiet.accepted):,} x 202 seen by the clients, {answered[202]:,} sent by the gateway's metrics, {len(stored):,} rows in the store (wrk hangs up on the last ones); every id of the quiet client's was looked up"
    rows.append(Row("overload: accepted requests that are lost", str(lost), target="0", met=verdict(lost == 0), how=how))
    rows.append(Row("overload: /healthz meanwhile", f"p50 {milliseconds(hundredth(healthy, 50))}, p99 {milliseconds(hundredth(healthy))}", how="GET every 100 ms on a kept connection"))
    how = "from the end of wrk to the first of ten submissions in a row that are accepted within 50 ms"
    rows.append(below("overload: until service is normal again", normal, 2, lambda value: f"{value:.2f} s", how))
    return rows


def remembered(before, memory, after):
    middle = memory[len(memory) // 2 :]
    growth = max(middle) - min(middle)
    figure = f"{mib(before)} before, {mib(max(memory))} at the most, {mib(after)} afterwards"
    how = "VmRSS every 250 ms; flat: in the second half of the load it differs by less than 8 MiB"
    return [Row("overload: resident memory", figure, f"{mib(growth)} between least and most in the second half", target="flat", met=verdict(growth < 8), how=how)]
