// An OpenID provider for the tests: access tokens by client credentials and resource indicators, introspection, revocation; and for
// people, by the authorization code flow with PKCE, from a page (the client `page`, of a gateway on any port of this machine), and by
// the device grant (the client `tv`, whose tokens are for the resource `urn:anteroom` and live for nine seconds).
// The resource decides what its tokens are: `urn:opaque` opaque, `urn:es256` a JWT signed with ES256, any other a JWT signed with RS256.
// Takes a free port of the loopback interface, prints its issuer on one line, and ends with its standard input.
//
// A line on standard input is a command; each is answered with one line:
//   announce  new keys are published, the old ones still sign      rotate  new keys sign, the old ones are still published
//   replace   new keys sign, the old ones are gone                 retire  all but the newest keys are gone
//   down, up  every call is answered 503, or served again          count PATH  how often PATH was called (the answer is a number)
//   confirm ADDRESS  a person opens it, logs in as ada and says yes to everything (the answer is the title of the last page)
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';
import { Person } from '../e2e/oauth/person.mjs';

console.info = console.error; // it tells of its own there, and our lines are on standard output

// An RS256 key and an ES256 key of one generation: `rsa-1` and `ec-1`, `rsa-2` and `ec-2`, …
function makeKeys(generation) {
  const pair = (alg, kid, type, options) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, kid: `${kid}-${generation}`, use: 'sig',
  });
  return [pair('RS256', 'rsa', 'rsa', { modulusLength: 2048 }), pair('ES256', 'ec', 'ec', { namedCurve: 'P-256' })];
}

const client = (id, grants) => ({
  client_id: id,
  client_secret: `the-secret-of-${id}-in-the-tests`,
  grant_types: grants,
  redirect_uris: [],
  response_types: [],
});

// What outlives a change of keys: the opaque tokens, and what people have begun.
const kept = new Map();
class Adapter {
  constructor(model) { this.model = model; }
  async upsert(id, payload) { kept.set(`${this.model} ${id}`, payload); }
  async find(id) { return kept.get(`${this.model} ${id}`); }
  async destroy(id) { kept.delete(`${this.model} ${id}`); }
  async consume(id) { (await this.find(id)).consumed = Math.floor(Date.now() / 1000); }
  async findByUid(uid) { return this.all().find((payload) => payload.uid === uid); }
  async findByUserCode(userCode) { return this.all().find((payload) => payload.userCode === userCode); }
  async revokeByGrantId(grantId) {
    for (const [key, payload] of kept) if (payload.grantId === grantId) kept.delete(key);
  }
  all() { return [...kept].filter(([key]) => key.startsWith(`${this.model} `)).map(([, payload]) => payload); }
}

function configuration(keys) {
  return {
    adapter: Adapter,
    jwks: { keys },
    ttl: { ClientCredentials: 3600 }, // unset, there would be a notice among our lines
    // `acme` asks for tokens, `gateway` asks about them.
    clients: [
      { ...client('acme', ['client_credentials']), token_endpoint_auth_method: 'client_secret_post' },
      { ...client('gateway', []), token_endpoint_auth_method: 'client_secret_basic' },
      { ...client('gateway-post', []), token_endpoint_auth_method: 'client_secret_post' },
      {
        client_id: 'page',
        application_type: 'native', // from any port (RFC 8252 section 7.3)
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        redirect_uris: ['', '/anteroom'].map((prefix) => `http://127.0.0.1${prefix}/ui/oauth2-redirect.html`),
        response_types: ['code'],
      },
      {
        client_id: 'tv',
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    clientBasedCORS: (_context, _origin, asking) => asking.clientId === 'page',
    extraParams: ['audience'],
    issueRefreshToken: (_context, asking) => asking.grantTypeAllowed('refresh_token'),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true }, // any name is let in with any password
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_context, asking) => asking.clientId.startsWith('gateway') },
      revocation: { enabled: true, allowedPolicy: (_context, asking, token) => token.clientId === asking.clientId },
      resourceIndicators: {
        enabled: true,
        // As Auth0 has it.
        defaultResource: (context, asking) => (asking?.clientId === 'tv' ? 'urn:anteroom' : context.oidc.params.audience),
        useGrantedResource: (_context, grant) => grant.clientId === 'tv',
        getResourceServerInfo: (_context, resource) => ({
          accessTokenFormat: resource === 'urn:opaque' ? 'opaque' : 'jwt',
          accessTokenTTL: resource === 'urn:anteroom' ? 9 : 3600,
          audience: resource,
          jwt: { sign: { alg: resource === 'urn:es256' ? 'ES256' : 'RS256' } },
          scope: 'read:requests write:requests',
        }),
      },
    },
  };
}

const server = createServer();
const calls = new Map();
let isDown = false;
let serve;
let generation = 1;
let keys = makeKeys(generation);
let issuer;

// The keys of a provider are fixed, so other keys take another provider. Of the keys that fit, the first one signs.
function publish(published) {
  keys = published;
  serve = new Provider(issuer, configuration(keys)).callback();
}

const commands = {
  announce: () => publish([...keys, ...makeKeys(generation += 1)]),
  rotate: () => publish([...makeKeys(generation += 1), ...keys]),
  replace: () => publish(makeKeys(generation += 1)),
  retire: () => publish(keys.filter((key) => key.kid.endsWith(`-${generation}`))),
  down: () => { isDown = true; },
  up: () => { isDown = false; },
  count: (path) => calls.get(path) ?? 0,
  confirm: async (address) => {
    const { page } = await new Person('ada', 'any will do').visit(address, issuer);
    return page.match(/<title>([^<]*)/)[1];
  },
};

server.on('request', (request, response) => {
  const path = request.url.split('?')[0];
  calls.set(path, (calls.get(path) ?? 0) + 1);
  if (isDown) {
    response.writeHead(503).end();
  } else {
    serve(request, response);
  }
});

server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  publish(keys);
  process.stdout.write(`${issuer}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on('close', () => process.exit(0));
  lines.on('line', async (line) => {
    const [name, argument] = line.split(' ');
    process.stdout.write(`${await commands[name](argument) ?? keys.map((key) => key.kid).join(' ')}\n`);
  });
});
