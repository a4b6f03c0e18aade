"""What an empty gateway takes: memory, also for idle connections, time to start, and the size of its image."""

import contextlib
import resource
import shutil
import socket
import statistics
import subprocess
import time

from kit.gateway import Gateway
from kit.rows import Row, below, mib, milliseconds, missing

CONNECTIONS = 10_000
STARTS = 5


def starts(gateway, times):
    """Seconds until the gateway was ready, for so many starts of a stopped one. It runs afterwards."""
    took = []
    for number in range(times):
        if number:
            gateway.stop()
        took.append(gateway.start() * 1000)
    return took


def room_for(connections):
    """How many connections the limit on open files allows a load of one process, up to so many."""
    return min(connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)


def with_idle_connections(gateway, count):
    """Memory while so many clients stay connected, each after one answer."""
    host, port = gateway.address.split(":")
    call = f"GET /healthz HTTP/1.1\r\nHost: {gateway.address}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection((host, int(port)), 10))
            connection.sendall(call)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        time.sleep(1)
        return gateway.resident_mib()


def image():
    work, target = "image", "< 30 MB"
    size = None
    for tool in ("docker", "podman"):
        if shutil.which(tool):
            command = [tool, "image", "inspect", "--format", "{{.Size}}", "anteroom"]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
            size = size or done.stdout.strip()
    if not size:
        return missing(work, "no image `anteroom` is here: `docker build -t anteroom .` makes it, `docker image ls` shows its size", target)
    megabytes = int(size) / 1e6
    return below(work, megabytes, 30, lambda value: f"{value:.1f} MB", f"{' '.join(command)}")


def section(run):
    gateway = Gateway(run, "memory")
    first = gateway.start() * 1000
    time.sleep(2)
    rows = [below("memory, idle, empty store", gateway.resident_mib(), 15, mib, "VmRSS 2 s after the first start")]
    count = room_for(CONNECTIONS)
    work = f"memory, {count:,} idle connections"
    how = f"VmRSS while they are open, each after one answer{'' if count == CONNECTIONS else '; ulimit -n allows no more'}"
    rows.append(below(work, with_idle_connections(gateway, count), 120, mib, how))
    run.say(f"  memory: {rows[0].figure} idle, {rows[1].figure} with {count} connections")
    gateway.stop()
    took = starts(gateway, STARTS)
    gateway.stop()
    how = f"from the start of the process to the first 200 at /readyz; median of {STARTS}, {milliseconds(min(took))} to {milliseconds(max(took))}"
    rows.append(below("start, empty store", statistics.median(took), 30, milliseconds, how))
    rows.append(Row("start, the very first", milliseconds(first), how="the same, once: it makes the store"))
    rows.append(image())
    return rows
