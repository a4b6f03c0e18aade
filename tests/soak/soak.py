"""Kills a gateway, or its PostgreSQL, again and again under load, and looks whether anything that was promised is missing.

16 clients submit, one by one and in batches, some of it for workers; workers lease and complete, one client cancels, one erases, and
readers note what they see. After each kill every key is sent again. What is looked for: a 202 that is lost, a key with two requests, a
completion that counts twice, a request whose version or stage goes back or whose status changes under one version, an end that is
undone, and an erased request that is back.
"""

import argparse
import asyncio
import collections
import os
import random
import signal
import sys
import time
from pathlib import Path

from gateway import Connection, Gateway
from postgres import Postgres

TERMINAL = {"succeeded", "failed", "cancelled", "expired"}
FORWARD = ["queued", "running", "succeeded"]  # of the simulated type
NEVER = ((-1, -1), None)


class Book:
    """What was promised and seen."""

    def __init__(self):
        self.accepted, self.unanswered = {}, {}
        self.seen, self.ended, self.completed = {}, [], collections.defaultdict(set)
        self.erasing, self.erased = set(), set()
        self.faults, self.examples = collections.Counter(), []

    def fault(self, what, *detail):
        self.faults[what] += 1
        if len(self.examples) < 20:
            self.examples.append((what, *detail))

    def accept(self, key, view):
        kind = self.unanswered.pop(key, None)
        before = self.accepted.setdefault(key, (view["request_id"], kind))
        if before[0] != view["request_id"]:
            self.fault("a key with two requests", key, before, view["request_id"])

    def known(self, request_id):
        """To be asked before a call, since of two calls under way at once either may be answered first."""
        return self.seen.get(request_id, NEVER)

    def saw(self, view, etag, known):
        request_id, status, version = view["request_id"], view["status"], tuple(map(int, etag.split(".")))
        (before, old) = known
        if version < before:
            self.fault("the version went back", request_id, before, version)
        if version == before and old != status:
            self.fault("another status under one version", request_id, version, old, status)
        if old in TERMINAL and old != status:
            self.fault("an end was undone", request_id, old, status)
        if view["type"] == "simulated" and {old, status} <= set(FORWARD) and FORWARD.index(status) < FORWARD.index(old):
            self.fault("a stage went back", request_id, old, status)
        now = self.known(request_id)
        if version >= now[0]:
            self.seen[request_id] = (version, status)
        if status in TERMINAL and now[1] not in TERMINAL:
            self.ended.append(request_id)

    def unexpected(self, what, status, answer):
        if status != 503:  # the store may be gone for a moment
            self.fault("an answer that nobody should get", what, status, answer)

    def single(self):
        """Every key whose request was not erased, and its kind and request."""
        return [(key, kind, request_id) for key, (request_id, kind) in self.accepted.items() if request_id not in self.erasing]


def body(key, kind):
    return {"type": kind, "payload": {"key": key}, "tags": {"key": key}}


async def submit(connection, book, key, kind):
    if key not in book.accepted:
        book.unanswered[key] = kind
    status, view, etag = await connection.call("POST", "/v1/requests", body(key, kind), f"Idempotency-Key: {key}\r\n")
    if status == 202:
        known = book.known(view["request_id"])
        book.accept(key, view)
        if known == NEVER:
            book.saw(view, etag, known)
    else:
        book.unexpected("submit", status, view)
    return status


async def submit_batch(connection, book, keys, kind):
    book.unanswered |= dict.fromkeys(keys, kind)
    items = [body(key, kind) | {"idempotency_key": key} for key in keys]
    status, answer, _ = await connection.call("POST", "/v1/requests/batch", {"requests": items})
    if status != 200:
        book.unexpected("batch", status, answer)
        return status
    for key, item in zip(keys, answer["items"], strict=True):
        if item["status"] == 202:
            book.accept(key, item["request"])
        else:
            book.unexpected("an item of a batch", item["status"], item)
            status = item["status"]
    return status


async def submitter(gateway, book, name, batch):
    connection = Connection(gateway)
    for number in range(1_000_000):
        kind = random.choice(["simulated", "simulated", "worked"])
        if batch:
            await until_done(submit_batch, connection, book, [f"{name}-{number}-{n}" for n in range(10)], kind)
        else:
            await until_done(submit, connection, book, f"{name}-{number}", kind)


async def worker(gateway, book, name):
    connection = Connection(gateway)
    while True:
        asked = {"types": ["worked"], "max": 4, "worker_id": name}
        status, answer, _ = await connection.call("POST", "/v1/leases", asked, "Prefer: wait=5\r\n")
        if status not in (200, 204):
            book.unexpected("lease", status, answer)
            await asyncio.sleep(0.05)
        for lease in answer["leases"] if status == 200 else []:
            if random.random() < 0.05:
                continue  # it forgot: the lease lapses
            path = f"/v1/leases/{lease['lease_id']}/complete"
            done, view, _ = await connection.call("POST", path, {"epoch": lease["epoch"], "result": {"by": name}})
            if done == 200:
                book.completed[lease["request_id"]].add(lease["epoch"])
            elif done != 409:
                book.unexpected("complete", done, view)


def recent(book):
    key = random.choice(list(book.accepted)[-500:])
    return book.accepted[key][0]


async def canceller(gateway, book):
    connection = Connection(gateway)
    while True:
        await asyncio.sleep(0.02)
        if not book.accepted:
            continue
        request_id = recent(book)
        known, gone = book.known(request_id), request_id in book.erasing
        status, view, etag = await connection.call("POST", f"/v1/requests/{request_id}/cancel")
        if status in (200, 202):
            book.saw(view, etag, known)
        elif status not in (409, 410) or (status == 410) > (gone or request_id in book.erasing):
            book.unexpected("cancel", status, view)


async def eraser(gateway, book):
    connection = Connection(gateway)
    while True:
        await asyncio.sleep(0.02)
        request_id = random.choice(book.ended) if book.ended else None
        if request_id is None or request_id in book.erasing or request_id in book.completed:
            continue
        book.erasing.add(request_id)
        status, answer, _ = await connection.call("DELETE", f"/v1/requests/{request_id}")
        if status == 204:
            book.erased.add(request_id)
        else:
            book.unexpected("erase", status, answer)


async def reader(gateway, book):
    connection = Connection(gateway)
    while True:
        await asyncio.sleep(0)
        if book.accepted:
            await look(connection, book, recent(book))
        else:
            await asyncio.sleep(0.01)


async def look(connection, book, request_id):
    known, gone = book.known(request_id), request_id in book.erased
    status, view, etag = await connection.call("GET", f"/v1/requests/{request_id}")
    if status == 200:
        if gone:
            book.fault("an erased request is back", request_id)
        book.saw(view, etag, known)
    elif status == 404 or (status == 410 and request_id not in book.erasing):
        book.fault("a 202 that is lost", request_id, status)
    elif status != 410:
        book.unexpected("look", status, view)
    return status, view


async def single(connection, book, key, request_id):
    status, page, _ = await connection.call("GET", f"/v1/requests?idempotency_key={key}")
    if status == 200 and [view["request_id"] for view in page["items"]] != [request_id]:
        book.fault("a key with two requests, or none", key, page)
    elif status != 200:
        book.unexpected("list", status, page)
    return status


async def until_done(what, *arguments):
    """Again until it goes through: the store may be gone for a moment."""
    began = time.monotonic()
    while True:
        outcome = await what(*arguments)
        if (outcome if isinstance(outcome, int) else outcome[0]) != 503:
            return outcome
        if time.monotonic() - began > 30:
            sys.exit(f"for 30 s it did not go through: {what.__name__} {arguments[2:]}")
        await asyncio.sleep(0.05)


async def each(gateway, what, book, items, at_once=16):
    """Does it for all of them, so many at a time."""
    left = iter(items)

    async def some():
        connection = Connection(gateway)
        for item in left:
            await until_done(what, connection, book, *item)

    await asyncio.gather(*(some() for _ in range(at_once)))


def load(gateway, book, cycle):
    yield from (submitter(gateway, book, f"c{cycle}-{number}", batch=number >= 14) for number in range(16))
    yield from (worker(gateway, book, f"w{cycle}-{number}") for number in range(4))
    yield from (reader(gateway, book), reader(gateway, book), canceller(gateway, book), eraser(gateway, book))


async def under_load(gateway, book, cycle, seconds, harm):
    tasks = [asyncio.create_task(task) for task in load(gateway, book, cycle)]
    await asyncio.sleep(random.uniform(0.05, seconds))
    await harm()
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(outcome, (ConnectionError, asyncio.CancelledError)):
            raise outcome


class Outage:
    """The server goes while the gateway serves, and comes back."""

    def __init__(self, gateway, postgres, book):
        self.gateway, self.postgres, self.book = gateway, postgres, book
        self.recovered_after = []

    async def __call__(self):
        await asyncio.to_thread(self.postgres.kill)
        await asyncio.sleep(random.uniform(0, 0.5))
        await asyncio.to_thread(self.postgres.start)
        began = time.monotonic()
        key = f"after-outage-{len(self.recovered_after)}"
        await until_done(submit, Connection(self.gateway), self.book, key, "simulated")
        self.recovered_after.append(time.monotonic() - began)
        if self.recovered_after[-1] > 5:
            self.book.fault("it took more than 5 s to recover", self.recovered_after[-1])
        await asyncio.sleep(random.uniform(0.05, 0.3))


def spread(seconds):
    values = sorted(seconds)
    return f"{values[0] * 1000:.0f} / {values[len(values) // 2] * 1000:.0f} / {values[-1] * 1000:.0f} ms (min, median, max)"


async def soak(gateway, postgres, arguments):
    book = Book()
    gateway.start()
    await gateway.sign_in()
    outage = Outage(gateway, postgres, book)
    for cycle in range(arguments.cycles):
        before = len(book.accepted)
        harm = outage if arguments.kill == "server" else lambda: asyncio.to_thread(gateway.kill)
        await under_load(gateway, book, cycle, arguments.load_seconds, harm)
        if arguments.kill == "gateway":
            gateway.start()
        await each(gateway, submit, book, list(book.unanswered.items()))
        new = [(key, kind) for key, kind, _ in book.single() if key.startswith(f"c{cycle}-")]
        await each(gateway, submit, book, new)
        older = random.sample(list(book.accepted.values()), min(200, before))
        await each(gateway, look, book, [(request_id,) for request_id, _ in older])
    await each(gateway, look, book, [(request_id,) for request_id, _ in book.accepted.values()])
    await each(gateway, single, book, [(key, request_id) for key, _, request_id in book.single()])
    for request_id, epochs in book.completed.items():
        if len(epochs) > 1:
            book.fault("a completion that counts twice", request_id, epochs)
        if book.seen[request_id][1] != "succeeded":
            book.fault("a completion that is lost", request_id, book.seen[request_id])
    times = f"recovered after {spread(outage.recovered_after)}" if outage.recovered_after else f"start to listening {spread(gateway.ready_after)}"
    print(f"{arguments.cycles} kills of the {arguments.kill}: {len(book.accepted)} accepted, {len(book.completed)} completed by workers, "
          f"{len(book.erased)} erased; faults: {dict(book.faults) or 'none'}; {times}")
    return book


async def fill(gateway, kind, count):
    """So many requests, and their ids."""
    connection, submitted = Connection(gateway), set()
    while len(submitted) < count:
        items = [{"type": kind, "payload": {"n": n}} for n in range(min(1000, count - len(submitted)))]
        status, answer, _ = await connection.call("POST", "/v1/requests/batch", {"requests": items})
        assert status == 200, answer
        submitted |= {item["request"]["request_id"] for item in answer["items"]}
    return submitted


async def full(gateway, arguments):
    """Killed with so many stored, it listens again in less than 2 s, and all are there."""
    gateway.start()
    await gateway.sign_in()
    submitted = await fill(gateway, "simulated", arguments.stored // 2) | await fill(gateway, "worked", arguments.stored - arguments.stored // 2)
    book = Book()
    gateway.ready_after.clear()
    for _ in range(5):
        gateway.kill()
        gateway.start()
        await each(gateway, look, book, [(request_id,) for request_id in random.sample(sorted(submitted), 200)])
    if max(gateway.ready_after) > 2:
        book.fault("it took more than 2 s to listen", max(gateway.ready_after))
    print(f"killed with {len(submitted)} stored: start to listening {spread(gateway.ready_after)}; faults: {dict(book.faults) or 'none'}")
    return book


async def jobs(gateway, arguments):
    """Every job completes once, whatever becomes of the workers."""
    gateway.start()
    await gateway.sign_in()
    submitted = await fill(gateway, "worked", arguments.jobs)
    completed, late, killed = collections.Counter(), 0, 0

    async def work(name):
        nonlocal late, killed
        while len(completed) < arguments.jobs:
            connection = Connection(gateway)
            asked = {"types": ["worked"], "max": 10, "lease_seconds": 1, "worker_id": name}
            status, answer, _ = await connection.call("POST", "/v1/leases", asked, "Prefer: wait=2\r\n")
            assert status in (200, 204), answer
            for lease in answer["leases"] if status == 200 else []:
                fate = random.random()
                if fate < 0.01:
                    killed += 1
                    break  # it dies with all that it had
                if fate < 0.02:
                    await asyncio.sleep(1.3)  # it was stopped for longer than its lease
                path = f"/v1/leases/{lease['lease_id']}/complete"
                done, refused, _ = await connection.call("POST", path, {"epoch": lease["epoch"], "result": name})
                assert done in (200, 409), refused
                late += done == 409
                if done == 200:
                    completed[lease["request_id"]] += 1

    began = time.monotonic()
    await asyncio.gather(*(work(f"worker-{number}") for number in range(arguments.workers)))
    took = time.monotonic() - began
    book = Book()
    await each(gateway, look, book, [(request_id,) for request_id in submitted])
    for request_id in submitted:
        if book.known(request_id)[1] != "succeeded" or completed[request_id] != 1:
            book.fault("not completed once", request_id, book.known(request_id), completed[request_id])
    print(f"{arguments.jobs} jobs, {arguments.workers} workers, {killed} deaths, {late} late completions refused: "
          f"{len(completed)} completed once each in {took:.1f} s; faults: {dict(book.faults) or 'none'}")
    return book


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kill", choices=["gateway", "server"], default="gateway")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--load-seconds", type=float, default=0.7, help="how long a cycle works at most until it is killed")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--stored", type=int, default=0)
    parser.add_argument("--workers", type=int, default=8)
    arguments = parser.parse_args()
    seed = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
    random.seed(seed)
    arguments.folder.mkdir(parents=True)
    postgres = Postgres(arguments.folder / "postgres") if arguments.store == "postgres" else None
    gateway = Gateway(arguments.binary.resolve(), arguments.folder, postgres.url if postgres else "sqlite:anteroom.db")
    # Who stops this leaves no gateway and no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    what = jobs(gateway, arguments) if arguments.jobs else full(gateway, arguments) if arguments.stored else soak(gateway, postgres, arguments)
    try:
        book = asyncio.run(what)
    finally:
        if hasattr(gateway, "process"):
            gateway.kill()
        if postgres:
            postgres.kill()
    if book.faults:
        sys.exit(f"SEED={seed} {book.examples}")


if __name__ == "__main__":
    main()
