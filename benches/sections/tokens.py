"""Tokens issued and introspected, beside a bare server that parses the same form."""

import urllib.parse

from kit.calls import raw_answer
from kit.gateway import Gateway, expecting
from kit.load import in_turn, wrk
from kit.rows import compared
from kit.yardsticks import Bare

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def compare(run, work, gateway, path, fields, target=None):
    form = run.fresh("form")
    form.write_text(urllib.parse.urlencode({"client_id": "bench", "client_secret": run.secret, **fields}))
    answer = raw_answer(gateway.address, "POST", path, FORM, form.read_bytes())
    assert answer.startswith(b"HTTP/1.1 200") and b'"active":false' not in answer, answer

    def load(server):
        return lambda: wrk(server.address, path, seconds=run.seconds, FORM=form)

    with Bare(run, answer) as bare:
        results = in_turn(run, work, {"Anteroom": expecting(gateway, 200, load(gateway)), "bare": load(bare)})
    how = f"wrk -t2 -c64, POST {path}; bare parses the form"
    return compared(work, results["Anteroom"], [("bare actix-web", results["bare"], target, "")], how)


def section(run):
    rows = []
    with Gateway(run, "tokens") as gateway:
        issued = {"grant_type": "client_credentials"}
        rows += compare(run, "client_credentials, HS256", gateway, "/oauth/token", issued, 0.3)
        rows += compare(run, "introspection of a token of our own", gateway, "/oauth/introspect", {"token": gateway.token()})
    with Gateway(run, "tokens-es256", '[issuer]\nalgorithm = "ES256"\n') as gateway:
        rows += compare(run, "client_credentials, ES256", gateway, "/oauth/token", issued)
    return rows
