"""What changes as requests pile up: reads, lists, submissions, restart, memory and file, with ten thousand stored and with a million."""

import statistics

from kit.calls import Caller
from kit.gateway import PAYLOAD, Gateway, expecting
from kit.load import in_turn, wrk
from kit.rows import Row, below, compared, mib, milliseconds
from sections.memory import starts

SIZES = (10_000, 1_000_000)
READ = 50_000


def fill(run, gateway, tokens, count):
    """Submits until the store has at least so many requests."""
    path = "/v1/requests/batch"
    if count < 100_000:
        caller = Caller(gateway.address, tokens.read_text().strip())
        for _ in range((count - run.stored) // 100):
            caller.expect(200, "POST", path, {"requests": [{"payload": PAYLOAD}] * 100})
    while 100 * gateway.statuses(path)[200] + run.stored < count:
        result = wrk(gateway.address, path, connections=16, seconds=5, BENCH="batch", TOKENS=tokens)
        assert not result.bad, f"{result.bad} batches were refused while the store was filled"
        run.say(f"  growth: {100 * gateway.statuses(path)[200] + run.stored:,} stored")


def size_of(count):
    return "1 M" if count == 1_000_000 else f"{count // 1000} k"


def restarted(run, gateway, count):
    """Stops and starts it; rows of its file and its start."""
    gateway.stop()
    ((stored,),) = gateway.query("SELECT count(*) FROM requests")
    assert stored >= count, f"{stored} stored, where {count} were accepted"
    run.stored = stored
    sample = gateway.query(f"SELECT id FROM requests WHERE seq % {max(1, stored // READ)} = 0 ORDER BY random() LIMIT {READ}")
    paths = run.fresh("paths")
    paths.write_text("".join(f"/v1/requests/{request_id}\n" for (request_id,) in sample))
    bytes_ = gateway.database.stat().st_size
    took = starts(gateway, 3)
    name = size_of(count)
    how = f"from the start of the process to the first 200 at /readyz, {stored:,} stored; median of 3, {milliseconds(min(took))} to {milliseconds(max(took))}"
    restart = Row(f"start, {name} stored", milliseconds(statistics.median(took)), how=how)
    if count == 1_000_000:
        restart = below(restart.work, statistics.median(took), 500, milliseconds, how)
    file = Row(f"file, {name} stored", f"{bytes_ / 1e6:,.0f} MB ({bytes_ / stored:,.0f} bytes each)", how=f"the database after the gateway has stopped; {stored:,} requests of 1 KiB")
    return paths, [restart, file]


def measured(run, gateway, tokens, paths, count):
    name = size_of(count)

    def load(path, **more):
        return lambda: wrk(gateway.address, path, seconds=run.seconds, TOKENS=tokens, **more)

    rows = []
    for work, status, measure, how in (
        ("status read", 200, load("/", PATHS=paths), f"wrk -t2 -c64, GET of stored requests at random, {len(paths.read_text().split()):,} in turn"),
        ("list page", 200, load("/v1/requests?limit=20"), "wrk -t2 -c64, GET /v1/requests?limit=20, the newest first"),
        ("durable submit", 202, load("/v1/requests", BENCH="submit"), "wrk -t2 -c64, POST of 1 KiB"),
    ):
        results = in_turn(run, f"{work}, {name} stored", {"Anteroom": expecting(gateway, status, measure)})
        rows += compared(f"{work}, {name} stored", results["Anteroom"], [], how)
    return rows


def section(run):
    rows = []
    run.stored = 0
    with Gateway(run, "growth") as gateway:
        for count in SIZES:
            tokens = gateway.token_file()
            fill(run, gateway, tokens, count)
            after = gateway.resident_mib()
            paths, some = restarted(run, gateway, count)
            rows += some + measured(run, gateway, tokens, paths, count)
            work, value = f"memory, {size_of(count)} stored", gateway.resident_mib()
            how = f"VmRSS after the start, the reads, lists and submissions of the rows above; {mib(after)} after the batches that filled the store"
            rows.append(below(work, value, 64, mib, how) if count == 1_000_000 else Row(work, mib(value), how=how))
            gateway.stop()
            ((run.stored,),) = gateway.query("SELECT count(*) FROM requests")
            gateway.start()
    return rows
