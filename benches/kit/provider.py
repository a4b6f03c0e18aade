"""An issuer of RS256 tokens that the gateway trusts."""

import subprocess

from kit.calls import Caller
from kit.processes import Server


class Provider(Server):
    """benches/provider.mjs, with the settings of a gateway that trusts it."""

    def start(self):
        self.folder = self.run.dir / "provider"
        self.folder.mkdir()
        self.spawn(["node", "benches/provider.mjs", self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        issuer = self.process.stdout.readline().strip()
        assert issuer, "benches/provider.mjs does not start"
        self.address = issuer.removeprefix("http://")
        self.settings = f"""
[verifiers.self]
kind = "self"
[verifiers.bench]
kind = "oidc"
issuer = "{issuer}"
jwks_uri = "{issuer}/jwks"
audience = ["anteroom"]
scopes = {{ "requests:read" = "requests:read", "requests:write" = "requests:write" }}
"""

    def asked(self):
        """How many times its keys were fetched."""
        return int(Caller(self.address).call("GET", "/asked")[2])
