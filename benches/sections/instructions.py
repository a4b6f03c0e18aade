"""Instructions per request, counted by callgrind: they do not depend on what else the machine does."""

import re
import subprocess
import time

from kit.calls import Caller, raw_answer
from kit.gateway import PAYLOAD, Gateway
from kit.rows import Row
from kit.yardsticks import Bare
from sections.status import forged

WARM, COUNTED = 300, 2000


def counted(run, server, file, call):
    """Instructions of the whole process for one call."""
    for _ in range(WARM):
        call()
    pid = str(server.process.pid)
    control = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["callgrind_control", "-z", pid], **control)
    for _ in range(COUNTED):
        call()
    before = set(file.parent.glob(file.name + ".*"))
    subprocess.run(["callgrind_control", "-d", pid], **control)
    for _ in range(100):
        new = set(file.parent.glob(file.name + ".*")) - before
        total = new and re.search(r"^(?:totals|summary): (\d+)", new.pop().read_text(), re.MULTILINE)
        if total:
            return int(total.group(1)) / COUNTED
        time.sleep(0.1)
    raise AssertionError("callgrind wrote nothing")


def under_callgrind(file):
    return ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={file}", "--collect-jumps=no"]


def section(run):
    file = run.fresh("callgrind")
    gateway = Gateway(run, "instructions")
    gateway.start(under_callgrind(file))
    token = gateway.token()
    path = f"/v1/requests/{gateway.submitted(token)}"
    caller, stranger = Caller(gateway.address, token), Caller(gateway.address, forged(token))
    calls = {
        "status read": ((200, "GET", path), caller),
        "refusal of a bad signature": ((401, "GET", path), stranger),
        "durable submit": ((202, "POST", "/v1/requests", {"payload": PAYLOAD}), caller),
    }
    headers = {"Authorization": f"Bearer {token}"}
    answer = raw_answer(gateway.address, "GET", path, headers)
    ours = {}
    for work, (call, by) in calls.items():
        ours[work] = counted(run, gateway, file, lambda: by.expect(*call))
        run.say(f"  instructions: {work} {ours[work]:,.0f}")
    gateway.stop()

    file, bare = run.fresh("callgrind"), Bare(run, answer)
    bare.start(under_callgrind(file))
    caller, rows = Caller(bare.address, token), []
    for work, (call, _) in calls.items():
        theirs = counted(run, bare, file, lambda: caller.expect(200, *call[1:]))
        how = f"valgrind --tool=callgrind, the whole process, {COUNTED:,} calls on one kept connection"
        rows.append(Row(f"instructions, {work}", f"{ours[work]:,.0f}", f"bare actix-web {theirs:,.0f}", f"{ours[work] / theirs:.2f}", how=how))
    bare.stop()
    return rows
