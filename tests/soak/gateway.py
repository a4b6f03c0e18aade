"""The program under its load: one gateway on one data directory for all its lives, and what speaks to it."""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time

TYPES = """
[types.simulated]
stages = [{ after = "0s", stage = "received", status = "queued" }, { after = "200ms", stage = "processing", status = "running" },
  { after = "600ms", stage = "done", status = "succeeded" }]
[types.worked]
processor = "lease"
attempts = 100
lease = "2s"
# One client makes all of the load.
[quotas]
requests_per_second = 1000000
open_requests = 100000000
"""


class Connection:
    """One exchange at a time on a kept connection, opened anew when it is lost."""

    def __init__(self, gateway):
        self.gateway, self.writer = gateway, None

    async def call(self, method, path, body=None, headers=""):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        data = json.dumps(body).encode() if body is not None else b""
        kind = "Content-Type: application/json\r\n" if data else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.gateway.port}\r\n{kind}{headers}"
        if self.gateway.token:
            head += f"Authorization: Bearer {self.gateway.token}\r\n"
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
        self.secret = secrets.token_hex(32)
        (folder / "anteroom.toml").write_text(TYPES)
        self.ready_after = []

    def start(self):
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTEROOM_")}
        environment |= {"ANTEROOM__STORE__URL": self.store, "ANTEROOM__ISSUER__SECRETS": '["env:SOAK_SECRET"]', "SOAK_SECRET": self.secret}
        command = [self.binary, "--config", self.folder / "anteroom.toml", "serve", "--bind", f"127.0.0.1:{self.port}", "--data-dir", self.folder / "data"]
        text = ""
        with open(self.folder / "log", "ab") as log, open(self.folder / "log", encoding="utf-8", errors="replace") as said:
            said.seek(0, os.SEEK_END)
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            while not (found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", text)):
                if self.process.poll() is not None or time.monotonic() - began > 60:
                    sys.exit(f"the gateway does not start:\n{text}")
                time.sleep(0.002)
                text += said.read()
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
