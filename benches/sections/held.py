"""What held calls cost: many status reads with `Prefer: wait`, each on a request of its own; and how soon their readers know of a change."""

import asyncio
import json
import os
import statistics
import time

from kit.gateway import PAYLOAD, Gateway
from kit.rows import Row, milliseconds
from sections.memory import room_for
from sections.overload import hundredth


class Connection:
    """A kept connection, with one exchange at a time."""

    def __init__(self, address, token):
        self.address, self.token = address, token

    async def open(self):
        host, port = self.address.split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port), limit=1 << 16)
        return self

    def send(self, method, path, body=None, headers=""):
        body = json.dumps(body).encode() if body is not None else b""
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.address}\r\nAuthorization: Bearer {self.token}\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await self.reader.readexactly(int(length[0].split(":")[1])) if length else b""
        return int(head.split(" ", 2)[1]), json.loads(body) if body else None

    async def call(self, *what, **more):
        self.send(*what, **more)
        return await self.answer()


async def cancelled(caller, connection, request_id):
    """Seconds from a cancellation, its commit included, until the reader on the other connection knows."""

    async def known():
        status, view = await connection.answer()
        assert (status, view["status"]) == (200, "cancelled"), (status, view)
        return time.perf_counter()

    waiting = asyncio.create_task(known())
    await asyncio.sleep(0)
    began = time.perf_counter()
    status, _ = await caller.call("POST", f"/v1/requests/{request_id}/cancel")
    assert status == 200, status
    return await waiting - began


async def measured(gateway, token, count):
    """KiB for each held call, milliseconds until a change is known, and milliseconds of a plain read."""
    caller = await Connection(gateway.address, token).open()
    ids = []
    for _ in range(count):
        status, view = await caller.call("POST", "/v1/requests", {"payload": PAYLOAD})
        assert status == 202, (status, view)
        ids.append(view["request_id"])
    connections = [await Connection(gateway.address, token).open() for _ in range(count)]
    # Each connection has done one call, so that what is measured is the holding alone.
    for connection, request_id in zip(connections, ids):
        await connection.call("GET", f"/v1/requests/{request_id}")
    plain = []
    for request_id in ids[:2000]:
        began = time.perf_counter()
        await caller.call("GET", f"/v1/requests/{request_id}")
        plain.append((time.perf_counter() - began) * 1000)
    before = gateway.resident_mib()
    for connection, request_id in zip(connections, ids):
        connection.send("GET", f"/v1/requests/{request_id}", headers="Prefer: wait=50\r\n")
    await asyncio.sleep(3)  # until the last of them is held; each has to answer "cancelled" later, which it could not if it was not
    each = (gateway.resident_mib() - before) * 1024 / count
    known = [await cancelled(caller, connection, request_id) * 1000 for connection, request_id in zip(connections, ids)]
    return each, known, plain


def section(run):
    count = room_for(int(os.environ.get("HELD", 5000)))
    with Gateway(run, "held", ANTEROOM__SERVER__MAX_CONNECTIONS="20000") as gateway:
        each, known, plain = asyncio.run(measured(gateway, gateway.token(), count))
    ratio = statistics.median(known) / statistics.median(plain)
    both = [f"p50 {milliseconds(hundredth(values, 50))}, p99 {milliseconds(hundredth(values))}" for values in (known, plain)]
    how = "from the sending of a cancellation, its commit included, until the answer to the call that was held; Python on both sides"
    return [
        Row(f"memory, each of {count:,} held calls", f"{each:.2f} KiB", how="growth of VmRSS while all are held, each on a connection of its own"),
        Row("a held call that ends", both[0], f"plain status read {both[1]}", f"{ratio:.1f}", how=how),
    ]
