"""What becomes durable: one by one and a hundred at a time, beside a bare server, PostgreSQL, rusqlite, and the disk itself."""

import contextlib
import statistics

from kit.calls import Caller, raw_answer
from kit.gateway import PAYLOAD, Gateway, expecting
from kit.load import Result, finish_wrk, in_turn, start_wrk, wrk
from kit.rows import below, compared, milliseconds, missing
from kit.yardsticks import Bare, Postgres, Syncs, raw_sqlite

ONE, MANY = "/v1/requests", "/v1/requests/batch"
NO_POSTGRES = "the package postgresql is not installed"


def submits(run, server, tokens, connections=64):
    """A load of submissions; every answer has to be 202."""

    def load():
        return wrk(server.address, ONE, connections=connections, seconds=run.seconds, BENCH="submit", TOKENS=tokens)

    return expecting(server, 202, load) if isinstance(server, Gateway) else load


def one_by_one(run, gateway, bare, tokens, postgres):
    work = "durable submit, 1 KiB, 64 connections"
    contenders = {"Anteroom": submits(run, gateway, tokens), "bare": submits(run, bare, tokens)}
    alone = {"Anteroom": submits(run, gateway, tokens, 1)}
    if postgres:
        contenders["pgbench"] = lambda: postgres.pgbench(64, run.seconds)
        alone["pgbench"] = lambda: postgres.pgbench(1, run.seconds)
    many, lone = in_turn(run, work, contenders), in_turn(run, "durable submit, 1 connection", alone)
    how = "wrk -t2 -c64, POST of 1 KiB judged by a JSON Schema, synced before each 202; bare parses the JSON; pgbench -c 64 -j 2 -M prepared, inserts of 1 KiB with fsync"
    rows = compared(work, many["Anteroom"], [("bare actix-web", many["bare"], 0.25, ""), ("PostgreSQL pgbench", many.get("pgbench"), 1.0, NO_POSTGRES)], how)
    how = "the same, wrk -t1 -c1 and pgbench -c 1"
    return rows + compared("durable submit, 1 KiB, 1 connection", lone["Anteroom"], [("PostgreSQL pgbench", lone.get("pgbench"), None, NO_POSTGRES)], how)


def into_postgres(run, postgres):
    """The same into PostgreSQL."""
    with Gateway(run, "on-postgres", ANTEROOM__STORE__URL=postgres.url()) as gateway:
        contenders = {"Anteroom": submits(run, gateway, gateway.token_file()), "pgbench": lambda: postgres.pgbench(64, run.seconds)}
        results = in_turn(run, "durable submit into PostgreSQL", contenders)
    how = "wrk -t2 -c64 and pgbench -c 64 on the same PostgreSQL"
    return compared("durable submit into PostgreSQL, 64 connections", results["Anteroom"], [("PostgreSQL pgbench", results["pgbench"], None, "")], how)


def by_hundreds(run, gateway, tokens):
    with Gateway(run, "raw") as other:
        caller = Caller(other.address, other.token())
        caller.call("POST", MANY, {"requests": [{"type": "default", "payload": PAYLOAD}] * 100})
        other.stop()

        def batches():
            result = wrk(gateway.address, MANY, connections=16, seconds=run.seconds, BENCH="batch", TOKENS=tokens)
            result.per_second *= 100
            return result

        contenders = {"Anteroom": expecting(gateway, 200, batches), "rusqlite": lambda: raw_sqlite(run, other.database, 100)}
        results = in_turn(run, "durable submit, batch of 100", contenders)
    how = f"wrk -t2 -c16, POST {MANY}; benches/raw_sqlite.rs: the same rows, 100 to a transaction, one thread, synchronous=FULL; requests a second"
    return compared("durable submit, batch of 100", results["Anteroom"], [("raw rusqlite", results["rusqlite"], 0.5, "")], how)


def tail(run, gateway, bare, tokens):
    """The p99 of a submission beside that of a sync, both while wrk keeps the machine busy."""

    def synced():
        syncs = Syncs(run)
        syncs.start()
        result = finish_wrk(start_wrk(bare.address, ONE, connections=16, seconds=run.seconds, BENCH="submit", TOKENS=tokens))
        took = syncs.end()
        return Result(len(took) / run.seconds, took[len(took) // 2], round(took[len(took) * 99 // 100], 2), result.bad)

    work = "p99 of a durable submit, 16 connections"
    results = in_turn(run, work, {"Anteroom": submits(run, gateway, tokens, 16), "fdatasync": synced})
    ours, theirs = (statistics.median(result.p99 for result in results[name]) for name in ("Anteroom", "fdatasync"))
    how = "wrk -t2 -c16; the sync: 4 KiB written and fdatasync in a loop beside wrk -t2 -c16 on the bare server"
    row = below(work, ours, 3 * theirs, milliseconds, how, f"fdatasync p99 {milliseconds(theirs)}")
    row.ratio, row.target = f"{ours / theirs:.2f}", "< 3 x the sync"
    return [row]


def section(run):
    rows = []
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres(run)) if run.postgres_bin else None
        gateway = stack.enter_context(Gateway(run, "submit"))
        tokens = gateway.token_file()
        headers = {"Authorization": f"Bearer {tokens.read_text().strip()}", "Content-Type": "application/json"}
        answer = raw_answer(gateway.address, "POST", ONE, headers, b'{"payload":{"n":"00-000000000000","filler":""}}')
        bare = stack.enter_context(Bare(run, answer))
        rows += one_by_one(run, gateway, bare, tokens, postgres)
        rows += by_hundreds(run, gateway, tokens)
        rows += tail(run, gateway, bare, tokens)
        if postgres:
            rows += into_postgres(run, postgres)
        else:
            rows.append(missing("durable submit into PostgreSQL, 64 connections", NO_POSTGRES))
        accepted = gateway.statuses(ONE)[202] + 100 * gateway.statuses(MANY)[200]
        gateway.stop()
        ((stored,),) = gateway.query("SELECT count(*) FROM requests")
        # There may be more: of the last ones wrk did not wait for the answer.
        if stored < accepted:
            run.unexpected.append(f"durable submit: {accepted} requests were accepted, and {stored} are stored")
    return rows
