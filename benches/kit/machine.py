"""What the figures were got on: the machine, and the versions of everything."""

import datetime
import os
import pathlib
import platform
import re
import sqlite3
import subprocess


def output(*command):
    """What a command prints, or nothing when it can not be run."""
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return ""
    return run.stdout.strip()


def found(pattern, text, otherwise="unknown"):
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1).strip() if match else otherwise


def read(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def file_system(path):
    """The type of the file system that a folder is on."""
    best, kind = "", "unknown"
    for line in read("/proc/mounts").splitlines():
        _, point, this, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if (os.path.realpath(path) + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, this
    return kind


def bundled_sqlite():
    """The version of the SQLite that the program is built with, by the source in cargo's registry."""
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    version = found(r'name = "libsqlite3-sys"\nversion = "([^"]*)"', read("Cargo.lock"))
    for header in home.glob(f"registry/src/*/libsqlite3-sys-{version}/sqlite3/sqlite3.h"):
        return found(r'^#define SQLITE_VERSION\s+"([^"]*)"', header.read_text())
    return f"of libsqlite3-sys {version}"


def facts(run):
    """Name and value of each."""
    commit = output("git", "rev-parse", "--short=12", "--verify", "--quiet", "HEAD") or "unknown"
    dirty = " with changes" if output("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches/RESULTS.md") else ""
    now = datetime.datetime.now(datetime.timezone.utc)
    memory = int(found(r"^MemTotal:\s+(\d+)", read("/proc/meminfo"), "0")) / (1 << 20)
    postgres = output(str(run.postgres_bin / "postgres"), "--version") if run.postgres_bin else "missing"
    return {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": found(r"^model name\s*:\s*(.*)", read("/proc/cpuinfo"), platform.machine()),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.1f} GiB",
        "kernel": platform.release(),
        "system": found(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release")),
        "file system of the stores": file_system(run.dir),
        "anteroom": f"{output(str(run.anteroom), '--version').split()[-1]}, commit {commit}{dirty}",
        "rustc": found(r"^rustc (.*)", output("rustc", "--version")),
        "wrk": found(r"^wrk (\S+)", output("wrk", "-v")),
        "haproxy": found(r"version (\S+)", output("haproxy", "-v"), "missing"),
        "postgres": found(r"\) (.*)", postgres, "missing"),
        "sqlite": f"{bundled_sqlite()} (in the program), {sqlite3.sqlite_version} (python3, which counts rows)",
        "access logs": f"on, JSON lines to {run.log_to}; HAProxy's and the gateway's alike. Metrics are on",
    }
