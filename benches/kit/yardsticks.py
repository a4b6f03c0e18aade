"""What the program is measured beside."""

import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from kit.load import Result
from kit.processes import Server, await_port, free_address


class Bare(Server):
    """benches/bare.rs: actix-web that answers what the gateway answered, byte for byte."""

    def __init__(self, run, answer):
        super().__init__(run)
        self.file = run.fresh("answer")
        self.file.write_bytes(answer)

    def start(self, program=()):
        self.address = free_address()
        self.spawn([*program, self.run.bare, self.file, self.address])
        await_port(self.address, self.process)


class HAProxy(Server):
    """HAProxy that verifies tokens by jwt_verify, expiry, issuer and audience included, and answers what the gateway answered."""

    NAME = "HAProxy jwt_verify"

    def __init__(self, run, algorithm, key, issuer, audience, answer, refusal):
        super().__init__(run)
        self.address = free_address()
        self.file = run.fresh("haproxy.cfg")
        # The key of HS256 is in the environment, that of RS256 in a file.
        self.environment = {"BENCH_JWT_KEY": key}
        self.file.write_text(f"""global
    nbthread {len(os.sched_getaffinity(0))}
    maxconn 4000
    log stderr format raw local0
defaults
    mode http
    log global
    option httplog
    timeout client 75s
    timeout server 75s
    timeout connect 5s
frontend gateway
    bind {self.address}
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.now) date()
    http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
    acl signed var(txn.bearer),jwt_verify({algorithm},"${{BENCH_JWT_KEY}}") -m int 1
    acl expected_algorithm var(txn.bearer),jwt_header_query('$.alg') -m str {algorithm}
    acl live var(txn.exp),sub(txn.now) -m int gt 0
    acl issued var(txn.bearer),jwt_payload_query('$.iss') -m str {issuer}
    acl meant var(txn.bearer),jwt_payload_query('$.aud') -m sub {audience}
    http-request return {self.returned(answer)} if expected_algorithm signed live issued meant
    http-request return {self.returned(refusal)}
""")

    def returned(self, answer):
        """An answer of the gateway's as what `http-request return` takes."""
        head, body = answer.split(b"\r\n\r\n", 1)
        status, *headers = head.decode().split("\r\n")
        file = self.run.fresh("body")
        file.write_bytes(body)
        headers = [header.split(": ", 1) for header in headers]
        kind = next(value for name, value in headers if name.lower() == "content-type")
        words = [f"status {status.split(' ')[1]} content-type {quoted(kind)} file {file}"]
        skipped = ("content-length", "content-type")
        return " ".join(words + [f"hdr {name} {quoted(value.replace('%', '%%'))}" for name, value in headers if name.lower() not in skipped])

    def start(self):
        with open(self.run.log_to, "ab") as log:
            self.spawn(["haproxy", "-db", "-f", self.file], stderr=log, stdout=log, env={**os.environ, **self.environment})
        await_port(self.address, self.process)

    def stop(self, with_signal=signal.SIGUSR1):
        # SIGUSR1 would wait for its connections.
        super().stop(signal.SIGTERM)


def quoted(text):
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'


class Postgres(Server):
    """PostgreSQL as it comes, with fsync and synchronous_commit on; it does not run as root."""

    PAYLOAD = "x" * 1024

    def __init__(self, run):
        super().__init__(run)
        self.bin, self.folder = run.postgres_bin, run.dir / "postgres"
        self.folder.mkdir()
        self.user = []
        if os.getuid() == 0:
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT", "--"]
            subprocess.run(["chown", "postgres:", self.folder], check=True)

    def start(self):
        data = self.folder / "data"
        command = [*self.user, self.bin / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.address = free_address()
        port = self.address.split(":")[1]
        options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "max_connections=400"]
        command = [*self.user, self.bin / "postgres", "-D", data, "-p", port, *(word for option in options for word in ("-c", option))]
        self.spawn(command, stderr=open(self.run.fresh("postgres.log"), "wb"), cwd="/")
        while subprocess.run([self.bin / "pg_isready", "-q", *self.place()], check=False).returncode:
            time.sleep(0.1)
            assert self.process.poll() is None, "PostgreSQL does not start"
        table = "id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner text NOT NULL, at timestamptz NOT NULL DEFAULT now(), payload text NOT NULL"
        for database, sql in (("postgres", "CREATE DATABASE gateway"), ("postgres", "CREATE DATABASE raw"), ("raw", f"CREATE TABLE inserts ({table})")):
            subprocess.run([self.bin / "psql", "-qXAt", *self.place(), "-U", "bench", "-d", database, "-c", sql], check=True)
        self.insert = self.run.fresh("insert.sql")
        self.insert.write_text(f"INSERT INTO inserts (owner, payload) VALUES ('bench', '{self.PAYLOAD}');\n")

    def place(self):
        host, port = self.address.split(":")
        return ["-h", host, "-p", port]

    def url(self):
        return f"postgres://bench@{self.address}/gateway"

    def pgbench(self, clients, seconds):
        """Inserts of one row each."""
        command = [self.bin / "pgbench", "-n", *self.place(), "-U", "bench", "-c", str(clients), "-j", str(min(2, clients)), "-M", "prepared"]
        run = subprocess.run([*command, "-T", str(seconds), "-f", self.insert, "raw"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        failed = int(re.search(r"number of failed transactions: (\d+)", run.stdout + "number of failed transactions: 0").group(1))
        rate = re.search(r"^tps = ([0-9.]+)", run.stdout, re.MULTILINE)
        assert rate, f"pgbench did nothing in {seconds} s: {run.stdout}"
        return Result(float(rate.group(1)), bad=failed)

    def stop(self, with_signal=signal.SIGINT):
        super().stop(signal.SIGINT)


def raw_sqlite(run, database, batch):
    """benches/raw_sqlite.rs: the gateway's rows by rusqlite alone."""
    done = subprocess.run([run.raw_sqlite, database, str(run.seconds), str(batch)], check=True, stdout=subprocess.PIPE, text=True)
    return Result(float(done.stdout))


class Syncs(threading.Thread):
    """4 KiB written over a file of 12 MiB, piece by piece, and synced: what SQLite's log does at the least for a commit."""

    def __init__(self, run):
        super().__init__()
        self.path, self.took, self.going = run.fresh("synced"), [], True
        self.path.write_bytes(bytes(12 << 20))

    def run(self):
        with open(self.path, "r+b", buffering=0) as file:
            os.fsync(file.fileno())
            turn = 0
            while self.going:
                began = time.perf_counter()
                os.pwrite(file.fileno(), os.urandom(4096), turn % 3072 * 4096)
                os.fdatasync(file.fileno())
                self.took.append((time.perf_counter() - began) * 1000)
                turn += 1

    def end(self):
        """All that it took, in milliseconds, in order of size."""
        self.going = False
        self.join()
        pathlib.Path(self.path).unlink()
        return sorted(self.took)
