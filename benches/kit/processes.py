"""Servers as processes: started on free ports, awaited, looked at, and stopped."""

import pathlib
import signal
import socket
import subprocess
import time


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % listener.getsockname()[1]


def await_port(address, process, seconds=30):
    """Until somebody listens there."""
    host, port = address.split(":")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.02)
    raise AssertionError(f"nobody listens at {address}: {' '.join(process.args[:2])}")


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


class Server:
    """A process that serves, as long as the block lasts that it is used in."""

    def __init__(self, run):
        self.run, self.process, self.address = run, None, None

    def spawn(self, command, **how):
        self.process = subprocess.Popen([str(part) for part in command], **how)
        self.run.processes.append(self.process)

    def stop(self, with_signal=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(with_signal)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.run.processes.remove(self.process)
        self.process = None

    def resident_mib(self):
        return resident_mib(self.process.pid)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
