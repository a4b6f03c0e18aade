#!/usr/bin/env python3
"""Works on requests of an Anteroom gateway. Needs Python 3.9 and `pip install requests`.

    ANTEROOM_CLIENT_ID=renderer ANTEROOM_CLIENT_SECRET=... worker.py https://gateway.example demo-work

With no client id it is the demo client of a gateway started in this folder: its secret is in data/demo-secret. Put your own work into
`work`. Ctrl-C or SIGTERM: it finishes what it has begun, if anything, and stops. A request may come twice (a worker may die after its work and before
its word), so work so that twice does no harm; `job.epoch` grows with each lease and serves as a fencing token for what you write.
"""
import os
import pathlib
import signal
import socket
import sys
import threading
import time

import requests


def work(job):
    """Your work: takes job.payload, returns the result as JSON. Looks at job.must_stop now and then."""
    for step in range(1, 5):
        if job.must_stop.wait(float(os.environ.get("STEP_SECONDS", "1"))):
            return None
        job.progress = {"percent": 25 * step, "message": f"Step {step} of 4", "stage": "working"}
    return {"echo": job.payload}


# Two heartbeats may be lost before the lease is.
HEARTBEAT_SECONDS = float(os.environ.get("HEARTBEAT_SECONDS", "20"))
LEASE_SECONDS = max(1, min(3600, int(3 * HEARTBEAT_SECONDS)))


class Unworkable(Exception):
    """What `work` raises when another attempt is of no use."""


class Gateway:
    def __init__(self, url, client_id, client_secret):
        self.url, self.credentials = url.rstrip("/"), (client_id, client_secret)
        self.lock, self.token, self.renew_at = threading.Lock(), None, 0.0

    def bearer(self):
        """The token; asked for once, and again shortly before it expires. Heartbeats ask from a thread of their own."""
        with self.lock:
            if self.token is None or time.monotonic() >= self.renew_at:
                grant = {"grant_type": "client_credentials", "scope": "requests:work"}
                answer = requests.post(f"{self.url}/oauth/token", data=grant, auth=self.credentials, timeout=30)
                if not answer.ok:
                    raise SystemExit(f"no token: {answer.status_code} {answer.text}")
                self.token = answer.json()["access_token"]
                self.renew_at = time.monotonic() + 0.9 * answer.json().get("expires_in", 60)
            return {"Authorization": f"Bearer {self.token}"}

    def post(self, path, body, headers=None, tries=5):
        """One call. Busy or unreachable: again, when the gateway says so. Token refused: once more with a new one."""
        for left in reversed(range(tries)):
            try:
                answer = requests.post(f"{self.url}{path}", json=body, headers={**(headers or {}), **self.bearer()}, timeout=70)
            except requests.RequestException:
                if not left:
                    raise
                time.sleep(1)
                continue
            if not left or answer.status_code not in (401, 429, 503):
                return answer
            if answer.status_code == 401:
                self.token = None
            time.sleep(float(answer.headers.get("Retry-After", 1)))


class Job(threading.Thread):
    """A leased request. While `work` is at it, this thread keeps the lease and listens whether to stop."""

    def __init__(self, gateway, lease):
        super().__init__(daemon=True)
        self.gateway, self.lease, self.progress = gateway, lease, None
        self.payload, self.epoch = lease["payload"], lease["epoch"]
        self.must_stop, self.ended, self.is_lost = threading.Event(), threading.Event(), False
        self.every = HEARTBEAT_SECONDS

    def say(self, act, **body):
        answer = self.gateway.post(f"/v1/leases/{self.lease['lease_id']}/{act}", {"epoch": self.epoch, **body})
        if answer.status_code in (404, 409):  # lease_lost: somebody else has the request by now
            self.is_lost = True
            self.must_stop.set()
        elif not answer.ok:
            print(f"{self.lease['request_id']} {act}: {answer.status_code} {answer.text}", file=sys.stderr, flush=True)
        return answer

    def run(self):
        while not self.ended.wait(self.every):
            try:
                answer = self.say("heartbeat", lease_seconds=LEASE_SECONDS, **({"progress": self.progress} if self.progress else {}))
            except (requests.RequestException, SystemExit) as error:  # the next one may get through
                print(f"{self.lease['request_id']} no heartbeat: {error}", file=sys.stderr, flush=True)
                continue
            if self.is_lost or (answer.ok and answer.json()["cancel_requested"]):
                self.must_stop.set()
                return

    def do(self):
        """Works, and says how that went; answers what came of it."""
        self.start()
        act, body = "release", {}  # also the answer to a cancellation
        try:
            result = work(self)
            if not self.must_stop.is_set():
                act, body = "complete", {"result": result}
        except Exception as error:  # whatever it is, the gateway is to know
            failure = {"code": type(error).__name__.lower(), "title": "The worker failed", "detail": str(error)[:4000]}
            act, body = "fail", {"error": failure, "retryable": not isinstance(error, Unworkable)}
        finally:
            self.ended.set()
            self.join()
        if self.is_lost:
            return "lost"
        try:
            answer = self.say(act, **body)
        except requests.RequestException as error:  # the lease lapses, and another attempt follows
            print(f"{self.lease['request_id']} {act} not told: {error}", file=sys.stderr, flush=True)
            return "lost"
        return "lost" if self.is_lost else answer.json().get("status", "refused")


def main(url="http://localhost:8080", *types):
    demo = pathlib.Path("data/demo-secret")
    secret = os.environ.get("ANTEROOM_CLIENT_SECRET") or (demo.read_text() if demo.exists() else sys.exit("set ANTEROOM_CLIENT_SECRET"))
    gateway = Gateway(url, os.environ.get("ANTEROOM_CLIENT_ID", "demo"), secret)
    stopping, working = threading.Event(), threading.Event()

    def stop(*_):
        stopping.set()
        if not working.is_set():  # a lease that is on its way just now lapses, and goes to another
            raise SystemExit(0)

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    ask = {"types": list(types) or ["demo-work"], "worker_id": f"{socket.gethostname()}-{os.getpid()}", "lease_seconds": LEASE_SECONDS}
    wait = int(os.environ.get("WAIT_SECONDS", "20"))
    print(f"{ask['worker_id']} works on {', '.join(ask['types'])}", flush=True)
    while not stopping.is_set():
        answer = gateway.post("/v1/leases", ask, headers={"Prefer": f"wait={wait}"})
        if not answer.ok:
            raise SystemExit(f"{answer.status_code} {answer.text}")
        working.set()
        for lease in answer.json()["leases"] if answer.status_code == 200 else []:
            outcome = Job(gateway, lease).do()
            print(lease["request_id"], f"attempt {lease['attempt']}", outcome, flush=True)
        working.clear()
        if answer.status_code == 204 and os.environ.get("UNTIL_EMPTY"):
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
