"""Status reads by ten, a hundred, a thousand and ten thousand connections: throughput, the slowest hundredth, memory."""

import dataclasses
import time

from kit.gateway import Gateway, expecting
from kit.load import finish_wrk, in_turn, start_wrk
from kit.rows import compared, mib
from kit.yardsticks import Bare
from sections.memory import room_for
from sections.status import read

CONNECTIONS = (10, 100, 1_000, 10_000)


def section(run):
    rows = []
    # Each round connects anew, which takes its time: one of them, but a longer one.
    once = dataclasses.replace(run, rounds=1, seconds=max(run.seconds, 4))
    with Gateway(run, "connections") as gateway:
        tokens = gateway.token_file()
        path, good, _ = read(run, gateway, tokens)
        with Bare(run, good) as bare:
            for wanted in CONNECTIONS:
                count, memory = room_for(wanted), []

                def load(server):
                    def measure():
                        load = start_wrk(server.address, path, connections=count, seconds=once.seconds, TOKENS=tokens)
                        time.sleep(once.seconds * 0.8)
                        if server is gateway:
                            memory.append(server.resident_mib())
                        return finish_wrk(load)

                    return measure

                work = f"status read, {count:,} connections"
                results = in_turn(once, work, {"Anteroom": expecting(gateway, 200, load(gateway)), "bare": load(bare)})
                how = f"wrk -t2 -c{count}, {once.seconds} s, once; VmRSS {mib(memory[-1])} meanwhile"
                rows += compared(work, results["Anteroom"], [("bare actix-web", results["bare"], None, "")], how)
    return rows
