// An OpenID provider for the tests: JWT access tokens (RS256) by client credentials and resource indicators.
// Takes a free port of the loopback interface, prints its issuer on one line, and ends with its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const signingKey = {
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  alg: 'RS256',
  kid: 'provider-1',
  use: 'sig',
};

function configuration() {
  return {
    jwks: { keys: [signingKey] },
    clients: [{
      client_id: 'acme',
      client_secret: 'the-secret-of-acme-in-the-tests',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    }],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          audience: resource,
          jwt: { sign: { alg: 'RS256' } },
          scope: 'read:requests write:requests',
        }),
      },
    },
  };
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration()).callback());
  process.stdout.write(`${issuer}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
