// openid-client against the gateway's own authorization server, with the strictness that it has by itself.
// From the environment: ISSUER, WEB_SECRET, PERSON, PASSWORD.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; // Node.js 18
const client = await import('openid-client');
const { Person } = await import('./person.mjs');

const { ISSUER, WEB_SECRET, PERSON, PASSWORD } = process.env;
const CALLBACK = 'https://app.example/callback'; // openid-client takes a callback's query for the answer alone
const discover = (id, secret) => client.discovery(new URL(ISSUER), id, secret, undefined, { algorithm: 'oauth2' });
const whoami = async token => {
  const response = await fetch(`${ISSUER}/v1/whoami`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, body: await response.json() };
};

/** The code flow up to the tokens. */
async function codeFlow(config, parameters = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'requests:read requests:write',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    ...parameters,
  });
  const { left, page } = await new Person(PERSON, PASSWORD).visit(address, ISSUER);
  assert.ok(left, `the person did not come back: ${page}`);
  assert.equal(left.searchParams.get('iss'), ISSUER);
  const tokens = await client.authorizationCodeGrant(config, left, { pkceCodeVerifier: verifier, expectedState: state });
  return { tokens, left, verifier, state };
}

test('discovery by either document', async () => {
  for (const options of [{ algorithm: 'oauth2' }, { algorithm: 'oidc' }]) {
    const config = await client.discovery(new URL(ISSUER), 'web', WEB_SECRET, undefined, options);
    const metadata = config.serverMetadata();
    assert.equal(metadata.issuer, ISSUER);
    assert.ok(metadata.supportsPKCE());
    assert.equal(metadata.token_endpoint, `${ISSUER}/oauth/token`);
  }
});

test('client_credentials', async () => {
  const config = await discover('web', WEB_SECRET);
  const tokens = await client.clientCredentialsGrant(config, { scope: 'requests:read' });
  assert.equal(tokens.scope, 'requests:read');
  assert.equal((await whoami(tokens.access_token)).body.client_id, 'web');
});

test('code with PKCE, refresh, and reuse of a refresh token', async () => {
  const config = await discover('web', WEB_SECRET);
  const { tokens } = await codeFlow(config);
  assert.equal((await whoami(tokens.access_token)).status, 200);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
  await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), { error: 'invalid_grant' });
  assert.equal((await whoami(next.access_token)).status, 401, 'the family is revoked');
});

test('a code that is used twice takes its tokens with it', async () => {
  const config = await discover('web', WEB_SECRET);
  const { tokens, left, verifier, state } = await codeFlow(config);
  const again = client.authorizationCodeGrant(config, left, { pkceCodeVerifier: verifier, expectedState: state });
  await assert.rejects(again, { error: 'invalid_grant' });
  assert.equal((await whoami(tokens.access_token)).status, 401);
});

test('a person who says no', async () => {
  const config = await discover('web', WEB_SECRET);
  const verifier = client.randomPKCECodeVerifier();
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK, scope: 'requests:read', state: 'abc', code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
  });
  const { left } = await new Person(PERSON, PASSWORD).visit(address, ISSUER, { refuse: true });
  assert.equal(left.searchParams.get('error'), 'access_denied');
  assert.equal(left.searchParams.get('state'), 'abc');
});

test('introspection and revocation', async () => {
  const config = await discover('web', WEB_SECRET);
  const { tokens } = await codeFlow(config);
  const active = await client.tokenIntrospection(config, tokens.access_token);
  assert.equal(active.active, true);
  assert.equal(active.client_id, 'web');
  await client.tokenRevocation(config, tokens.access_token);
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false });
  assert.equal((await whoami(tokens.access_token)).status, 401);
  await client.tokenRevocation(config, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
  assert.deepEqual(await client.tokenIntrospection(config, 'nonsense'), { active: false });
});

test('the device flow', async () => {
  const config = await client.discovery(new URL(ISSUER), 'tv', undefined, client.None(), { algorithm: 'oauth2' });
  const device = await client.initiateDeviceAuthorization(config, { scope: 'requests:read' });
  assert.match(device.user_code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/);
  const polling = client.pollDeviceAuthorizationGrant(config, device);
  const { page, status } = await new Person(PERSON, PASSWORD).visit(device.verification_uri_complete, ISSUER);
  assert.equal(status, 200, page);
  const tokens = await polling;
  assert.equal(tokens.scope, 'requests:read');
  assert.equal((await whoami(tokens.access_token)).status, 200);
});
