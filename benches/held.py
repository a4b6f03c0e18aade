"""Holds status reads open, changes their requests one after the other, and tells what that cost and how soon it was known."""

import asyncio
import json
import os
import statistics
import sys
import time

HELD = int(os.environ["HELD"])
HOST, PORT = sys.argv[1].split(":")
TOKEN = open(os.environ["TOKEN"]).read().strip()


class Connection:
    """A kept connection, with one exchange at a time."""

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(HOST, int(PORT), limit=1 << 16)
        return self

    def send(self, method, path, body=None, headers=""):
        body = json.dumps(body).encode() if body is not None else b""
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nAuthorization: Bearer {TOKEN}\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ", 2)[1])
        length = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await self.reader.readexactly(int(length[0].split(":")[1])) if length else b""
        return status, json.loads(body) if body else None

    async def call(self, *what, **more):
        self.send(*what, **more)
        return await self.answer()


def resident_kib():
    with open(f"/proc/{os.environ['GATEWAY']}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


async def main():
    caller = await Connection().open()
    ids = []
    for _ in range(HELD):
        status, view = await caller.call("POST", "/v1/requests", {"payload": {}})
        assert status == 202, (status, view)
        ids.append(view["request_id"])
    idle = [await Connection().open() for _ in range(HELD)]
    # Each connection has done one call, so that what is measured is the holding alone.
    for connection, request_id in zip(idle, ids):
        await connection.call("GET", f"/v1/requests/{request_id}")
    plain = []
    for request_id in ids[:2000]:
        began = time.perf_counter()
        await caller.call("GET", f"/v1/requests/{request_id}")
        plain.append(time.perf_counter() - began)
    before = resident_kib()
    for connection, request_id in zip(idle, ids):
        connection.send("GET", f"/v1/requests/{request_id}", headers="Prefer: wait=50\r\n")
    await asyncio.sleep(3)  # until the last of them is held; the count below says whether it was
    during = resident_kib()

    latencies = []

    async def wait_for(connection, began):
        status, view = await connection.answer()
        latencies.append(time.perf_counter() - began[0])
        assert (status, view["status"]) == (200, "cancelled"), (status, view)

    for connection, request_id in zip(idle, ids):
        began = [0.0]
        waiting = asyncio.create_task(wait_for(connection, began))
        await asyncio.sleep(0)
        began[0] = time.perf_counter()
        status, _ = await caller.call("POST", f"/v1/requests/{request_id}/cancel")
        assert status == 200, status
        await waiting
    print(f"held at once: {HELD}; memory {before / 1024:.1f} MiB before, {during / 1024:.1f} MiB during: {(during - before) / HELD:.2f} KiB for each")
    print(f"known after the cancellation was sent, its commit included: p50 {percentile(latencies, 0.5):.2f} ms, p99 {percentile(latencies, 0.99):.2f} ms")
    print(f"a plain status read on a kept connection: p50 {percentile(plain, 0.5):.2f} ms, p99 {percentile(plain, 0.99):.2f} ms")
    print(f"ratio of the medians: {statistics.median(latencies) / statistics.median(plain):.1f}")


asyncio.run(main())
