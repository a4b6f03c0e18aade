// oauth4webapi, which refuses what the specifications do not allow, against the gateway's own authorization server.
// From the environment: ISSUER, WEB_SECRET, PERSON, PASSWORD.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // Node.js 18
const oauth = await import('oauth4webapi');
const { Person } = await import('./person.mjs');

const { ISSUER, WEB_SECRET, PERSON, PASSWORD } = process.env;
const CALLBACK = 'https://app.example/callback?from=anteroom';
const issuer = new URL(ISSUER);
const server = await oauth
  .discoveryRequest(issuer, { algorithm: 'oauth2' })
  .then(response => oauth.processDiscoveryResponse(issuer, response));
const web = { client_id: 'web' };
const authentication = oauth.ClientSecretBasic(WEB_SECRET);

test('client_credentials, and a token that holds RFC 9068', async () => {
  const response = await oauth.clientCredentialsGrantRequest(server, web, authentication, { scope: 'requests:read' });
  const tokens = await oauth.processClientCredentialsResponse(server, web, response);
  assert.equal(tokens.token_type, 'bearer');
  const request = new Request(`${ISSUER}/v1/whoami`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(server, request, 'anteroom');
  assert.equal(claims.client_id, 'web');
  assert.equal(claims.scope, 'requests:read');
});

test('code with PKCE and the issuer in the answer, then refresh', async () => {
  const verifier = oauth.generateRandomCodeVerifier();
  const address = new URL(server.authorization_endpoint);
  address.search = new URLSearchParams({
    client_id: 'web', redirect_uri: CALLBACK, response_type: 'code', scope: 'requests:read', state: 'xyz',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });
  const { left, page } = await new Person(PERSON, PASSWORD).visit(address, ISSUER);
  assert.ok(left, page);
  const parameters = oauth.validateAuthResponse(server, web, left, 'xyz');
  const response = await oauth.authorizationCodeGrantRequest(server, web, authentication, parameters, CALLBACK, verifier);
  const tokens = await oauth.processAuthorizationCodeResponse(server, web, response);
  const refreshed = await oauth.refreshTokenGrantRequest(server, web, authentication, tokens.refresh_token);
  assert.ok((await oauth.processRefreshTokenResponse(server, web, refreshed)).access_token);
});

test('introspection and revocation', async () => {
  const response = await oauth.clientCredentialsGrantRequest(server, web, authentication, {});
  const { access_token } = await oauth.processClientCredentialsResponse(server, web, response);
  const introspect = async () =>
    oauth.processIntrospectionResponse(server, web, await oauth.introspectionRequest(server, web, authentication, access_token));
  assert.equal((await introspect()).active, true);
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, web, authentication, access_token));
  assert.equal((await introspect()).active, false);
});
