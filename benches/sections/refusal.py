"""Refusals of bad tokens, beside a bare server that answers the same and HAProxy that refuses them."""

import contextlib

from kit.calls import raw_answer
from kit.gateway import Gateway
from sections.status import compare, forged, read, verified_by_haproxy


def section(run):
    rows = []
    with Gateway(run, "refusal") as gateway:
        token = gateway.token()
        tokens = run.fresh("token")
        tokens.write_text(token + "\n")
        path, good, _ = read(run, gateway, tokens)
        for work, bad in (("garbage", "x" * len(token)), ("good form, bad signature", forged(token))):
            tokens.write_text(bad + "\n")
            refusal = raw_answer(gateway.address, "GET", path, {"Authorization": f"Bearer {bad}"})
            haproxy = verified_by_haproxy(run, token, run.secret, good, refusal) if run.haproxy else None
            with haproxy or contextlib.nullcontext():
                how = "wrk -t2 -c64, GET with one bad token; every answer has to be 401"
                rows += compare(run, f"refusal of a bad token: {work}", gateway, path, tokens, refusal, haproxy, (0.85, 0.85), how, 401)
    return rows
