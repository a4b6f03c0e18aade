"""Kills a gateway, or its PostgreSQL, again and again under load, and looks whether anything that was promised is missing.

16 clients submit, some of it for workers; workers lease and complete; readers note what they see. After each kill every key that was
never answered is sent again. What is looked for: a 202 that is lost, a key with two requests, a completion that counts twice, a request
whose version goes back or whose status changes under one version, an end that is undone.
"""

import argparse
import asyncio
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from postgres import Postgres

TYPES = """
[types.simulated]
stages = [{ after = "0s", stage = "received", status = "queued" }, { after = "200ms", stage = "processing", status = "running" },
  { after = "600ms", stage = "done", status = "succeeded" }]
[types.worked]
processor = "lease"
attempts = 1000
lease = "2s"
"""
TERMINAL = {"succeeded", "failed", "cancelled", "expired"}


class Connection:
    """One exchange at a time on a kept connection, opened anew when it is lost."""

    def __init__(self, gateway):
        self.gateway, self.writer = gateway, None

    async def call(self, method, path, body=None, headers=""):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        data = json.dumps(body).encode() if body is not None else b""
        kind = "Content-Type: application/json\r\n" if data else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.gateway.port}\r\nAuthorization: Bearer {self.gateway.token}\r\n{kind}{headers}"
        try:
            self.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)\r\ncontent-length: (\d+)", head)
            answer = await self.reader.readexactly(int(length[1])) if length else b""
        except (OSError, asyncio.IncompleteReadError) as error:
            self.writer.close()
            self.writer = None
            raise ConnectionError(str(error)) from error
        etag = re.search(r'(?i)\r\netag: "([^"]*)"', head)
        return int(head.split(" ", 2)[1]), json.loads(answer) if answer else None, etag and etag[1]


class Gateway:
    """The program, on one data directory and one port for all its lives."""

    def __init__(self, binary, folder, store):
        self.binary, self.folder, self.store, self.port, self.token = binary, folder, store, 0, None
        (folder / "anteroom.toml").write_text(TYPES)
        self.ready_after = []

    def start(self):
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTEROOM_")}
        environment |= {"ANTEROOM__STORE__URL": self.store, "ANTEROOM__ISSUER__SECRETS": '["env:SOAK_SECRET"]', "SOAK_SECRET": "s" * 48}
        command = [self.binary, "--config", self.folder / "anteroom.toml", "serve", "--bind", f"127.0.0.1:{self.port}", "--data-dir", self.folder / "data"]
        self.log = open(self.folder / "log", "ab+")
        position = self.log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log)
        while True:
            text = (self.folder / "log").read_bytes()[position:].decode(errors="replace")
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", text)
            if found:
                break
            if self.process.poll() is not None or time.monotonic() - began > 60:
                sys.exit(f"the gateway does not start:\n{text}")
            time.sleep(0.005)
        self.ready_after.append(time.monotonic() - began)
        self.port = int(found[1])

    async def sign_in(self):
        if self.token is None:
            secret = (self.folder / "data/demo-secret").read_text().strip()
            body = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": secret}
            status, answer, _ = await Connection(self).call("POST", "/oauth/token", body)
            assert status == 200, answer
            self.token = answer["access_token"]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Book:
    """What was promised and seen."""

    def __init__(self):
        self.accepted, self.unanswered = {}, {}
        self.seen, self.completed = {}, collections.defaultdict(set)
        self.faults = collections.Counter()
        self.examples = []

    def fault(self, what, *detail):
        self.faults[what] += 1
        if len(self.examples) < 20:
            self.examples.append((what, *detail))

    def saw(self, view, etag):
        version = tuple(map(int, etag.split(".")))
        before, status = self.seen.get(view["request_id"], ((-1, -1), None))
        if version < before:
            self.fault("the version went back", view["request_id"], before, version)
        if version == before and status != view["status"]:
            self.fault("another status under one version", view["request_id"], version, status, view["status"])
        if status in TERMINAL and status != view["status"]:
            self.fault("an end was undone", view["request_id"], status, view["status"])
        if version >= before:
            self.seen[view["request_id"]] = (version, view["status"])


async def submit(connection, book, key, kind):
    book.unanswered[key] = kind
    body = {"type": kind, "payload": {"key": key}, "tags": {"key": key}}
    status, view, _ = await connection.call("POST", "/v1/requests", body, f"Idempotency-Key: {key}\r\n")
    if status == 202:
        del book.unanswered[key]
        before = book.accepted.setdefault(key, view["request_id"])
        if before != view["request_id"]:
            book.fault("a key with two requests", key, before, view["request_id"])
    elif status != 503:
        book.fault("an answer that nobody should get", status, view)
    return status


async def submitter(gateway, book, name):
    connection = Connection(gateway)
    for number in range(1_000_000):
        await submit(connection, book, f"{name}-{number}", random.choice(["simulated", "simulated", "worked"]))


async def worker(gateway, book, name):
    connection = Connection(gateway)
    while True:
        status, answer, _ = await connection.call("POST", "/v1/leases", {"types": ["worked"], "max": 4, "worker_id": name}, "Prefer: wait=5\r\n")
        if status not in (200, 204, 503):
            book.fault("an answer that nobody should get", status, answer)
        for lease in answer["leases"] if status == 200 else []:
            if random.random() < 0.05:
                continue  # it forgot: the lease lapses
            done, view, _ = await connection.call("POST", f"/v1/leases/{lease['lease_id']}/complete", {"epoch": lease["epoch"], "result": {"by": name}})
            if done == 200:
                book.completed[lease["request_id"]].add(lease["epoch"])
            elif done not in (409, 503):
                book.fault("an answer that nobody should get", done, view)


async def reader(gateway, book):
    connection = Connection(gateway)
    while True:
        if not book.accepted:
            await asyncio.sleep(0.01)
            continue
        await look(connection, book, random.choice(list(book.accepted.values())[-500:]))


async def look(connection, book, request_id):
    status, view, etag = await connection.call("GET", f"/v1/requests/{request_id}")
    if status == 200:
        book.saw(view, etag)
    elif status != 503:
        book.fault("a 202 that is lost" if status == 404 else "an answer that nobody should get", request_id, status)
    return view if status == 200 else None


async def until_done(what, *arguments):
    """Again until it goes through: the store may be gone for a moment."""
    began = time.monotonic()
    while True:
        try:
            outcome = await what(*arguments)
            if outcome not in (503, None):
                return outcome
        except ConnectionError:
            pass
        if time.monotonic() - began > 30:
            sys.exit(f"for 30 s it did not go through: {what.__name__} {arguments[2:]}")
        await asyncio.sleep(0.05)


async def under_load(gateway, book, cycle, harm):
    tasks = [asyncio.create_task(submitter(gateway, book, f"c{cycle}-{number}")) for number in range(16)]
    tasks += [asyncio.create_task(worker(gateway, book, f"w{cycle}-{number}")) for number in range(4)]
    tasks += [asyncio.create_task(reader(gateway, book)) for _ in range(2)]
    await asyncio.sleep(random.uniform(0.05, 0.7))
    await asyncio.to_thread(harm)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def settle_accounts(gateway, book, cycle):
    connection = Connection(gateway)
    for key, kind in list(book.unanswered.items()):
        await until_done(submit, connection, book, key, kind)
    everything = list(book.accepted.items())
    for _, request_id in everything[-1500:] + random.sample(everything, min(200, len(everything))):
        await until_done(look, connection, book, request_id)


async def keys_are_single(gateway, book, keys):
    connection = Connection(gateway)
    for key in keys:
        status, page, _ = await connection.call("GET", f"/v1/requests?idempotency_key={key}")
        if status != 200 or [view["request_id"] for view in page["items"]] != [book.accepted[key]]:
            book.fault("a key with two requests, or none", key, status, page)


async def soak(gateway, postgres, arguments):
    book = Book()
    gateway.start()
    await gateway.sign_in()
    for cycle in range(arguments.cycles):
        harm = postgres.kill if arguments.kill == "server" else gateway.kill
        await under_load(gateway, book, cycle, harm)
        if arguments.kill == "server":
            postgres.start()
            if gateway.process.poll() is not None:
                book.fault("the gateway ended with the server")
                gateway.start()
        else:
            gateway.start()
        await settle_accounts(gateway, book, cycle)
    connection = Connection(gateway)
    for request_id in book.accepted.values():
        await until_done(look, connection, book, request_id)
    await keys_are_single(gateway, book, book.accepted)
    for request_id, epochs in book.completed.items():
        view = await until_done(look, connection, book, request_id)
        if len(epochs) > 1:
            book.fault("a completion that counts twice", request_id, epochs)
        if view["status"] != "succeeded":
            book.fault("a completion that is lost", request_id, view["status"])
    starts = sorted(gateway.ready_after)
    print(f"{arguments.cycles} kills of the {arguments.kill}: {len(book.accepted)} accepted, {len(book.completed)} completed by workers; "
          f"faults: {dict(book.faults) or 'none'}; start to listening {starts[0] * 1000:.0f} / {starts[len(starts) // 2] * 1000:.0f} / {starts[-1] * 1000:.0f} ms (min, median, max)")
    return book


async def jobs(gateway, arguments):
    """Every job completes once, whatever becomes of the workers."""
    gateway.start()
    await gateway.sign_in()
    connection, submitted = Connection(gateway), set()
    while len(submitted) < arguments.jobs:
        items = [{"type": "worked", "payload": {"n": n}} for n in range(min(1000, arguments.jobs - len(submitted)))]
        status, answer, _ = await connection.call("POST", "/v1/requests/batch", {"requests": items})
        assert status == 200, answer
        submitted |= {item["request"]["request_id"] for item in answer["items"]}
    completed, late, killed = collections.Counter(), 0, 0

    async def work(name):
        nonlocal late, killed
        while sum(completed.values()) < arguments.jobs:
            connection = Connection(gateway)
            status, answer, _ = await connection.call("POST", "/v1/leases", {"types": ["worked"], "max": 10, "lease_seconds": 1, "worker_id": name}, "Prefer: wait=2\r\n")
            for lease in answer["leases"] if status == 200 else []:
                fate = random.random()
                if fate < 0.01:
                    killed += 1
                    break  # it dies with all that it had
                if fate < 0.02:
                    await asyncio.sleep(1.3)  # it was stopped for longer than its lease
                done, _, _ = await connection.call("POST", f"/v1/leases/{lease['lease_id']}/complete", {"epoch": lease["epoch"], "result": name})
                completed[lease["request_id"]] += done == 200
                late += done == 409
                assert done in (200, 409), done

    began = time.monotonic()
    await asyncio.gather(*(work(f"worker-{number}") for number in range(arguments.workers)))
    book = Book()
    for request_id in submitted:
        view = await look(connection, book, request_id)
        if view["status"] != "succeeded":
            book.fault("not completed", request_id, view["status"])
    twice = [request_id for request_id, count in completed.items() if count != 1]
    if twice or set(completed) != submitted:
        book.fault("not once", twice[:5], len(completed))
    print(f"{arguments.jobs} jobs, {arguments.workers} workers, {killed} deaths, {late} late completions refused: "
          f"{len(completed)} completed once each in {time.monotonic() - began:.1f} s; faults: {dict(book.faults) or 'none'}")
    return book


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kill", choices=["gateway", "server"], default="gateway")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--workers", type=int, default=8)
    arguments = parser.parse_args()
    seed = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
    random.seed(seed)
    arguments.folder.mkdir(parents=True)
    postgres = Postgres(arguments.folder / "postgres") if arguments.store == "postgres" else None
    gateway = Gateway(arguments.binary.resolve(), arguments.folder, postgres.url if postgres else "sqlite:anteroom.db")
    try:
        book = asyncio.run(jobs(gateway, arguments) if arguments.jobs else soak(gateway, postgres, arguments))
    finally:
        if hasattr(gateway, "process"):
            gateway.kill()
        if postgres:
            postgres.kill()
    if book.faults:
        sys.exit(f"SEED={seed} {book.examples}")


if __name__ == "__main__":
    main()
