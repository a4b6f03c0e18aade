"""Authlib and requests-oauthlib against the gateway's own authorization server.

From the environment: ISSUER, WEB_SECRET, PERSON, PASSWORD, REQUESTS_CA_BUNDLE.
"""
import html
import os
import re
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from requests_oauthlib import OAuth2Session as OAuthlibSession
from oauthlib.oauth2 import BackendApplicationClient

ISSUER, SECRET = os.environ["ISSUER"], os.environ["WEB_SECRET"]
CALLBACK = "https://app.example/callback?from=anteroom"
METADATA = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server").json()
SCOPE = "requests:read requests:write"


def attribute(tag, name):
    found = re.search(rf'\s{name}="([^"]*)"', tag)
    return html.unescape(found[1]) if found else None


def person(address):
    """Logs in and says yes, without a script; where the browser is sent in the end."""
    browser = requests.Session()
    call = ("GET", address, None)
    for _ in range(12):
        answer = browser.request(call[0], call[1], data=call[2], allow_redirects=False)
        if location := answer.headers.get("Location"):
            there = urljoin(call[1], location)
            if not there.startswith(ISSUER):
                return there
            call = ("GET", there, None)
            continue
        form = re.search(r'<form[^>]*method="post".*?</form>', answer.text, re.S)
        assert answer.ok and form, answer.text
        fields = {}
        for tag in re.findall(r"<input[^>]*>", form[0]):
            kind, name = attribute(tag, "type"), attribute(tag, "name")
            typed = os.environ["PASSWORD"] if kind == "password" else os.environ["PERSON"] if attribute(tag, "autocomplete") == "username" else None
            if name:
                fields[name] = typed if typed is not None else attribute(tag, "value") or ""
        for tag in re.findall(r"<button[^>]*>", form[0])[:1]:
            if attribute(tag, "name"):
                fields[attribute(tag, "name")] = attribute(tag, "value") or ""
        call = ("POST", urljoin(call[1], attribute(re.match(r"<form[^>]*>", form[0])[0], "action") or call[1]), fields)
    raise AssertionError("no end after 12 steps")


def whoami(token):
    return requests.get(f"{ISSUER}/v1/whoami", headers={"Authorization": f"Bearer {token}"})


def authlib():
    session = OAuth2Session("web", SECRET, scope="requests:read")
    token = session.fetch_token(METADATA["token_endpoint"], grant_type="client_credentials")
    assert token["scope"] == "requests:read", token
    session = OAuth2Session("web", SECRET, scope=SCOPE, redirect_uri=CALLBACK, code_challenge_method="S256")
    verifier = "v" * 64
    address, state = session.create_authorization_url(METADATA["authorization_endpoint"], code_verifier=verifier)
    back = person(address)
    assert parse_qs(urlsplit(back).query)["iss"] == [ISSUER], back
    token = session.fetch_token(METADATA["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
    assert whoami(token["access_token"]).status_code == 200
    fresh = session.refresh_token(METADATA["token_endpoint"], token["refresh_token"])
    assert fresh["refresh_token"] != token["refresh_token"]
    assert session.introspect_token(METADATA["introspection_endpoint"], fresh["access_token"]).json()["active"] is True
    assert session.revoke_token(METADATA["revocation_endpoint"], fresh["access_token"]).status_code == 200
    assert session.introspect_token(METADATA["introspection_endpoint"], fresh["access_token"]).json() == {"active": False}
    assert whoami(fresh["access_token"]).status_code == 401


def requests_oauthlib():
    session = OAuthlibSession(client=BackendApplicationClient("web", scope=["requests:read"]))
    token = session.fetch_token(METADATA["token_endpoint"], client_id="web", client_secret=SECRET, scope=["requests:read"])
    assert session.get(f"{ISSUER}/v1/whoami").status_code == 200
    session = OAuthlibSession("web", redirect_uri=CALLBACK, scope=SCOPE.split(), pkce="S256")
    address, _ = session.authorization_url(METADATA["authorization_endpoint"])
    token = session.fetch_token(METADATA["token_endpoint"], authorization_response=person(address), client_secret=SECRET)
    fresh = session.refresh_token(METADATA["token_endpoint"], token["refresh_token"], auth=("web", SECRET))
    assert whoami(fresh["access_token"]).status_code == 200


for each in (authlib, requests_oauthlib):
    each()
    print(f"{each.__name__}: ok")
