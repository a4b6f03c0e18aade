"""Status reads: tokens of our own and of a provider, one and many, beside a bare server and HAProxy."""

import base64
import contextlib
import json
import statistics
import time

from kit.calls import Caller, raw_answer
from kit.gateway import Gateway, expecting
from kit.load import in_turn, wrk
from kit.rows import Row, compared
from kit.yardsticks import Bare, HAProxy

HOW = "wrk -t2 -c64, GET of one request"


def verified_by_haproxy(run, token, key, answer, refusal):
    """HAProxy that accepts this token."""
    head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    return HAProxy(run, head["alg"], key, claims["iss"], audience, answer, refusal)


def read(run, gateway, tokens):
    """The path of a request that belongs to whom a token is, and the gateway's answers to good and bad tokens."""
    token = tokens.read_text().split("\n")[0]
    path = f"/v1/requests/{gateway.submitted(token)}"
    good, bad = (raw_answer(gateway.address, "GET", path, {"Authorization": f"Bearer {text}"}) for text in (token, forged(token)))
    assert good.startswith(b"HTTP/1.1 200") and bad.startswith(b"HTTP/1.1 401"), (good, bad)
    return path, good, bad


def forged(token):
    """A token of good form whose signature is another's."""
    head, claims, signature = token.split(".")
    return ".".join((head, claims, ("B" if signature[0] == "A" else "A") + signature[1:]))


def answers_alike(server, path, token, answer):
    """Whether a yardstick answers the same headers and body as the gateway did."""

    def parts(text):
        head, body = text.split(b"\r\n\r\n", 1)
        lines = {line.lower() for line in head.split(b"\r\n")[1:] if not line.lower().startswith(b"date:")}
        return text.split(b" ", 2)[1], lines, body

    theirs = parts(raw_answer(server.address, "GET", path, {"Authorization": f"Bearer {token}"}))
    assert theirs == parts(answer), f"a yardstick answers something else: {theirs} {parts(answer)}"


def compare(run, work, gateway, path, tokens, answer, haproxy, targets, how, status=200):
    """Rows for the same GET to the gateway, to a bare server that answers the same, and to HAProxy."""
    expect = {"TOKENS": tokens, "EXPECT": "refusal" if status >= 400 else ""}
    token = tokens.read_text().split("\n")[0]

    def load(server):
        return lambda: wrk(server.address, path, seconds=run.seconds, **expect)

    with Bare(run, answer) as bare:
        answers_alike(bare, path, token, answer)
        contenders = {"Anteroom": expecting(gateway, status, load(gateway)), "bare": load(bare)}
        if haproxy:
            answers_alike(haproxy, path, token, answer)
            contenders[HAProxy.NAME] = load(haproxy)
        results = in_turn(run, work, contenders)
    yardsticks = [("bare actix-web", results["bare"], targets[0], "")]
    yardsticks.append((HAProxy.NAME, results.get(HAProxy.NAME), targets[1], "the package haproxy is not installed"))
    return compared(work, results["Anteroom"], yardsticks, how)


def first_use(run, gateway, tokens):
    """What a token costs when it is seen for the first time, beside the second."""
    passes = []
    texts = tokens.read_text().split()
    path = f"/v1/requests/{gateway.submitted(texts[0])}"
    gateway.stop()  # it has forgotten every token after that
    gateway.start()
    caller = Caller(gateway.address)
    caller.call("GET", "/healthz")
    for _ in range(2):
        took = []
        for text in texts:
            began = time.perf_counter()
            status, _, _ = caller.call("GET", path, headers={"Authorization": f"Bearer {text}"})
            took.append((time.perf_counter() - began) * 1e6)
            assert status == 200, status
        passes.append(took)
    extra = statistics.median(first - second for first, second in zip(*passes))
    how = f"{len(texts):,} distinct tokens over one connection, twice: median of what the first time took longer than the second"
    return [Row("first use of an RS256 token", f"{extra:.0f} us more than its second", how=how)]


def section(run):
    provider = run.provider()
    rows = []
    with Gateway(run, "status", provider.settings) as gateway:
        hs256 = gateway.token_file()
        for work, tokens, key, targets, how in (
            ("status read, HS256, one token, 64 connections", hs256, run.secret, (0.85, 1.0), HOW),
            ("status read, RS256, one token, 64 connections", provider.folder / "rs256", provider.folder / "rs256.pem", (0.85, 1.5), HOW),
            (
                "status read, 2,000 distinct RS256 tokens in turn",
                provider.folder / "rs256-2000",
                provider.folder / "rs256.pem",
                (0.75, 1.5),
                HOW + "; each token once, then from the start",
            ),
        ):
            path, good, bad = read(run, gateway, tokens)
            haproxy = verified_by_haproxy(run, tokens.read_text().split()[0], str(key), good, bad) if run.haproxy else None
            with haproxy or contextlib.nullcontext():
                if haproxy:
                    answers_alike(haproxy, path, forged(tokens.read_text().split()[0]), bad)
                rows += compare(run, work, gateway, path, tokens, good, haproxy, targets, how)
        rows += first_use(run, gateway, provider.folder / "rs256-2000")
    return rows
