"""The program that is measured."""

import collections
import hashlib
import os
import re
import socket
import sqlite3
import time
import urllib.request

from kit.calls import Caller
from kit.processes import Server, free_address

TYPES = """
[types.default]
stages = [{ after = "0s", stage = "received", status = "queued" }, { after = "1h", stage = "done", status = "succeeded" }]
[types.default.schema]
type = "object"
required = ["n", "filler"]
additionalProperties = false
properties = { n = { type = "string", pattern = "^[0-9]{2}-[0-9]{12}$" }, filler = { type = "string", maxLength = 2000 } }
"""

# A client of the benches asks for as much as the machine gives. It is counted all the same.
QUOTAS = """
[quotas]
requests_per_second = 1000000
burst = 1000000
open_requests = 100000000
"""

PAYLOAD = {"n": "00-000000000000", "filler": "x" * 954}


class Gateway(Server):
    """Anteroom with a data folder of its own, in the folder of the run. Two clients are known: `bench` and `quiet`."""

    def __init__(self, run, name, settings="", quotas=True, **environment):
        super().__init__(run)
        self.folder = run.dir / name
        self.folder.mkdir()
        self.environment = environment
        hashed = hashlib.sha256(run.secret.encode()).hexdigest()
        clients = "".join(f'[clients.{client}]\nsecrets = ["sha256:{hashed}"]\n' for client in ("bench", "quiet"))
        (self.folder / "secret").write_text(run.secret)
        issuer = '[issuer]\nsecrets = ["file:secret"]\n' if "[issuer]" not in settings else ""
        text = f'[log]\nformat = "json"\n{issuer}{clients}{TYPES}{settings}'
        (self.folder / "anteroom.toml").write_text(text + (QUOTAS if quotas else ""))

    def start(self, program=()):
        """Starts it, and says after how many seconds it was ready: the first 200 at /readyz. `program` goes before the command."""
        self.address = free_address()
        command = [*program, self.run.anteroom, "--config", self.folder / "anteroom.toml", "serve", "--bind", self.address]
        began = time.perf_counter()
        with open(self.run.log_to, "ab") as log:
            self.spawn([*command, "--data-dir", self.folder / "data"], stderr=log, stdout=log, env={**os.environ, **self.environment})
        while not self.ready():
            if self.process.poll() is not None or time.perf_counter() > began + 120:
                raise AssertionError("the gateway does not start; LOG_TO=FILE scripts/bench shows why")
            time.sleep(0.0005)
        return time.perf_counter() - began

    def ready(self):
        host, port = self.address.split(":")
        try:
            with socket.create_connection((host, int(port)), 5) as connection:
                connection.sendall(f"GET /readyz HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n\r\n".encode())
                return connection.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    def token(self, client="bench"):
        caller = Caller(self.address)
        fields = {"grant_type": "client_credentials", "client_id": client, "client_secret": self.run.secret}
        return caller.form("/oauth/token", **fields)["access_token"]

    def token_file(self, client="bench"):
        """A file with a token, as wrk.lua reads it."""
        path = self.folder / f"{client}.token"
        path.write_text(self.token(client) + "\n")
        return path

    def submitted(self, token):
        """The id of a request that has just been stored."""
        return Caller(self.address, token).expect(202, "POST", "/v1/requests", {"payload": PAYLOAD})["request_id"]

    def statuses(self, path=None):
        """How many exchanges, all or those on one path, were answered with each status so far, by the gateway's own metrics."""
        with urllib.request.urlopen(f"http://{self.address}/metrics") as answer:
            text = answer.read().decode()
        counts = collections.Counter()
        for labels, value in re.findall(r"^anteroom_http_requests_total\{([^}]*)\} (\d+)", text, re.MULTILINE):
            this = re.search(r'path="([^"]*)"', labels).group(1)
            if this == path or path is None and this not in ("/metrics", "/readyz"):
                counts[int(re.search(r'status="(\d+)"', labels).group(1))] += int(value)
        return counts

    @property
    def database(self):
        return self.folder / "data" / "anteroom.db"

    def query(self, sql):
        """What the store holds. The gateway has to be stopped: then all is in one file, and nobody changes it."""
        assert self.process is None
        connection = sqlite3.connect(f"file:{self.database}?mode=ro&immutable=1", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


def expecting(gateway, status, measure):
    """The same measurement, where each answer of the gateway has to be of that status, by its own metrics."""

    def measured():
        before = gateway.statuses()
        result = measure()
        after = gateway.statuses()
        result.bad += sum(count for other, count in (after - before).items() if other != status)
        return result

    return measured
