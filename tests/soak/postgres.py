"""A PostgreSQL of one's own, which can be killed and started again; fsync is on."""

import getpass
import os
import pwd
import re
import signal
import socket
import subprocess
import time
from pathlib import Path


def newest():
    found = list(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise SystemExit("there is no PostgreSQL; scripts/install brings it")
    return max(found, key=lambda path: int(re.search(r"postgresql/(\d+)", str(path))[1]))


class Postgres:
    """Its data lies in `folder`; it listens on a free port of this machine."""

    def __init__(self, folder):
        self.bin, self.folder = newest(), folder
        folder.mkdir()
        # It refuses to run as root.
        self.user = "postgres" if getpass.getuser() == "root" else None
        if self.user:
            os.chown(folder, *pwd.getpwnam(self.user)[2:4])
            for parent in folder.parents:
                if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o011:
                    parent.chmod(parent.stat().st_mode | 0o011)
        self.run("initdb", "-D", folder / "data", "-U", "soak", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.start()
        self.run("psql", "-qX", "-h", "127.0.0.1", "-p", str(self.port), "-U", "soak", "-d", "postgres", "-c", "CREATE DATABASE anteroom")
        self.url = f"postgres://soak@127.0.0.1:{self.port}/anteroom"

    def run(self, name, *arguments):
        subprocess.run([self.bin / name, *arguments], check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL)

    def start(self):
        log = open(self.folder / "log", "ab")
        command = [self.bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                   "-c", f"unix_socket_directories={self.folder}", "-c", "restart_after_crash=off"]
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(command, user=self.user, cwd="/", stdout=log, stderr=log, start_new_session=True)
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, cwd="/", check=False).returncode != 0:
            if self.process.poll() is not None:
                raise SystemExit((self.folder / "log").read_text())
            time.sleep(0.02)

    def kill(self):
        """As the power goes: the server and all its processes at once."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split()
        for process in [self.process.pid, *map(int, children)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for process in children:
            while os.path.exists(f"/proc/{process}"):
                time.sleep(0.005)
