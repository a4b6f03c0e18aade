#!/usr/bin/env python3
"""Submits a request to Anteroom and waits for its end. Needs Python 3.9 and `pip install requests`.

    ANTEROOM_CLIENT_ID=acme ANTEROOM_CLIENT_SECRET=... client.py https://gateway.example '{"some": "payload"}'

With no client id it is the demo client of a gateway started in this folder: its secret is in data/demo-secret.
"""
import json
import os
import pathlib
import sys
import time
import uuid

import requests


class Gateway:
    def __init__(self, url, client_id, client_secret):
        self.url, self.credentials = url.rstrip("/"), (client_id, client_secret)
        self.session, self.token, self.renew_at = requests.Session(), None, 0.0

    def bearer(self):
        """The token; asked for once, and again shortly before it expires."""
        if self.token is None or time.monotonic() >= self.renew_at:
            grant = {"grant_type": "client_credentials"}
            answer = self.session.post(f"{self.url}/oauth/token", data=grant, auth=self.credentials, timeout=30)
            if not answer.ok:
                raise SystemExit(f"no token: {answer.status_code} {answer.text}")
            self.token = answer.json()["access_token"]
            self.renew_at = time.monotonic() + 0.9 * answer.json().get("expires_in", 60)
        return {"Authorization": f"Bearer {self.token}"}

    def call(self, method, url, headers=None, tries=5, **body):
        """One call. Busy or unreachable: again, when the gateway says so. Token refused: once more with a new one."""
        renewed = False
        for last in [False] * (tries - 1) + [True]:
            try:
                answer = self.session.request(method, url, headers={**(headers or {}), **self.bearer()}, timeout=30, **body)
            except (requests.ConnectionError, requests.Timeout):
                if last:
                    raise
                time.sleep(1)
                continue
            if answer.status_code == 401 and not renewed and not last:
                self.token, renewed = None, True
            elif answer.status_code in (429, 503) and not last:
                time.sleep(float(answer.headers.get("Retry-After", 1)))
            else:
                break
        if not answer.ok:  # application/problem+json, RFC 9457
            problem = answer.json() if "json" in answer.headers.get("Content-Type", "") else {"title": answer.reason}
            print(f"{answer.status_code} {problem.get('title')}: {problem.get('detail', '')}", file=sys.stderr)
            for error in problem.get("errors", []):
                print(f"  {error['pointer']}: {error['detail']}", file=sys.stderr)
            raise SystemExit(f"trace id {problem.get('trace_id')}")
        return answer

    def run(self, payload, kind="default"):
        """Submits, and asks to be answered when something has changed until the end. The key makes a repeated POST harmless."""
        body, key = {"type": kind, "payload": payload}, {"Idempotency-Key": str(uuid.uuid4())}
        answer = self.call("POST", f"{self.url}/v1/requests", headers=key, json=body)
        request, link = answer.json(), requests.compat.urljoin(answer.url, answer.headers["Location"])
        print(request["request_id"], request["stage"], flush=True)
        while request["finished_at"] is None:
            known = {"Prefer": "wait=20", "If-None-Match": answer.headers["ETag"]}
            changed = self.call("GET", link, headers=known)
            if "Preference-Applied" not in changed.headers:  # too many wait at the gateway: ask in its rhythm
                time.sleep(float(changed.headers.get("Retry-After", 1)))
            if changed.status_code != 304:
                answer, request = changed, changed.json()
                print(request["request_id"], request["stage"], flush=True)
        return request


if __name__ == "__main__":
    demo = pathlib.Path("data/demo-secret")
    secret = os.environ.get("ANTEROOM_CLIENT_SECRET") or (demo.read_text() if demo.exists() else sys.exit("set ANTEROOM_CLIENT_SECRET"))
    gateway = Gateway((sys.argv[1:] or ["http://localhost:8080"])[0], os.environ.get("ANTEROOM_CLIENT_ID", "demo"), secret)
    request = gateway.run(json.loads((sys.argv[2:] or ["{}"])[0]))
    print(json.dumps(request, indent=2))
    sys.exit(0 if request["status"] == "succeeded" else 1)
