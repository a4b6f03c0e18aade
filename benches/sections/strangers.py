"""Good tokens while strangers knock, with tokens of keys that nobody publishes; and, beside it, with as many requests for nothing."""

import statistics
import time

from kit.gateway import Gateway
from kit.load import finish_wrk, in_turn, start_wrk, wrk
from kit.rows import Row, milliseconds
from sections.status import read


def section(run):
    provider = run.provider()
    with Gateway(run, "strangers", provider.settings) as gateway:
        good = provider.folder / "rs256"
        path, _, _ = read(run, gateway, good)

        def flooded(where, **tokens):
            def measure():
                flood = start_wrk(gateway.address, where, connections=20, seconds=run.seconds + 2, PAUSE_MS=5, **tokens)
                time.sleep(1)
                result = wrk(gateway.address, path, connections=4, seconds=run.seconds, TOKENS=good, PAUSE_MS=1)
                finish_wrk(flood)
                return result

            return measure

        asked = provider.asked()
        contenders = {"Anteroom": flooded(path, TOKENS=provider.folder / "strangers"), "404s": flooded("/nothing")}
        results = in_turn(run, "good tokens in a flood of unknown keys", contenders)
        asked = provider.asked() - asked
    ours, theirs = (statistics.median(result.p99 for result in results[name]) for name in ("Anteroom", "404s"))
    how = f"wrk -c4 with a good RS256 token, while wrk -c20 sends tokens of unknown keys, or asks for nothing; the issuer was asked for keys {asked} times in all of it"
    return [Row("p99 of good tokens in a flood of unknown keys", milliseconds(ours), f"in a flood of 404s {milliseconds(theirs)}", f"{ours / theirs:.2f}", how=how)]
