// An issuer for the benches: publishes one RSA key on a free port, counts how often it is asked, and writes into a folder `rs256.pem` (the
// public key) and tokens: `rs256` (one good token), `rs256-2000` (as many distinct ones) and `strangers` (20,000 that name keys nobody
// publishes). Prints its address; ends with its standard input.
import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const folder = process.argv[2];
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicKey = createPublicKey(privateKey);
const key = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' };
let asked = 0;

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function token(issuer, kid, number) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer, sub: 'bench@clients', aud: 'anteroom', iat: now, exp: now + 3600, azp: 'bench', jti: String(number),
    scope: 'requests:read requests:write',
  };
  return `${encode({ alg: 'RS256', typ: 'JWT', kid })}.${encode(claims)}`;
}

const good = (issuer, number) => {
  const input = token(issuer, 'bench', number);
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
};

const server = createServer((request, response) => {
  if (request.url === '/asked') return response.end(String(asked));
  asked += 1;
  response.setHeader('content-type', 'application/json');
  response.setHeader('cache-control', 'max-age=3600');
  response.end(JSON.stringify({ keys: [key] }));
});
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const write = (name, count, make) =>
    writeFileSync(`${folder}/${name}`, Array.from({ length: count }, (_, number) => `${make(number)}\n`).join(''));
  writeFileSync(`${folder}/rs256.pem`, publicKey.export({ type: 'spki', format: 'pem' }));
  write('rs256', 1, (number) => good(issuer, number));
  write('rs256-2000', 2000, (number) => good(issuer, number + 1));
  const signature = randomBytes(256).toString('base64url');
  write('strangers', 20_000, (number) => `${token(issuer, randomBytes(12).toString('hex'), number)}.${signature}`);
  process.stdout.write(`${issuer}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
