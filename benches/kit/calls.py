"""A small HTTP client: one kept connection, one call at a time."""

import http.client
import json
import socket
import urllib.parse


class Caller:
    """Calls one server, as one client."""

    def __init__(self, address, token=None, timeout=30):
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        host, port = address.split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)

    def call(self, method, path, body=None, headers=()):
        """Status, headers and body of the answer."""
        more = dict(self.headers, **dict(headers))
        if body is not None and not isinstance(body, (str, bytes)):
            body, more["Content-Type"] = json.dumps(body), "application/json"
        self.connection.request(method, path, body, more)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def expect(self, status, *call, **more):
        """The body of an answer, read as JSON, where it has to be of that status."""
        got, _, body = self.call(*call, **more)
        if got != status:
            raise AssertionError(f"{call[0]} {call[1]}: {got} in place of {status}: {body[:400]!r}")
        return json.loads(body) if body else None

    def form(self, path, **fields):
        """The same for a form that is to be answered 200."""
        body = urllib.parse.urlencode(fields)
        return self.expect(200, "POST", path, body, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def close(self):
        self.connection.close()


def raw_answer(address, method, path, headers, body=b""):
    """An answer, byte for byte."""
    host, port = address.split(":")
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(head.encode() + b"\r\n" + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += received(connection)
        length = next(int(line[15:]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(answer) < answer.index(b"\r\n\r\n") + 4 + length:
            answer += received(connection)
    return answer


def received(connection):
    more = connection.recv(65536)
    if not more:
        raise AssertionError("the server hung up in the middle of an answer")
    return more
