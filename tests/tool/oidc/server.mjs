// A certified OpenID provider at a free port of this machine: refresh tokens serve once, and the reuse of one ends what stems
// from its consent. Says where it is, and tells at /_log what it has done.
import http from 'node:http';
import { Provider } from 'oidc-provider';

const life = Number(process.env.ACCESS_LIFE ?? 6);
const server = http.createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const grants = ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'];
const app = { grant_types: grants, response_types: ['code'], redirect_uris: ['http://127.0.0.1/callback'], application_type: 'native' };
const provider = new Provider(issuer, {
  clients: [
    { ...app, client_id: 'app', token_endpoint_auth_method: 'none' },
    { ...app, client_id: 'secretive', client_secret: 'p%+: s', token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'daemon', client_secret: 'machine', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
  ],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
  },
  rotateRefreshToken: true,
  ttl: { AccessToken: life, ClientCredentials: life, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, DeviceCode: 600, IdToken: 600 },
  pkce: { required: () => true },
  cookies: { keys: ['only for tests'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

const log = [];
const told = ['grant.success', 'grant.error', 'grant.revoked', 'refresh_token.consumed', 'registration_create.success', 'revocation.error', 'server_error'];
for (const event of told) {
  provider.on(event, (ctx, error) => {
    const type = ctx?.oidc?.params?.grant_type ?? '';
    log.push(`${event} ${type} ${error?.error ?? ''}`.trim());
    if (error?.error_detail || event === 'server_error') console.error(event, error?.message, error?.error_detail ?? error?.stack);
  });
}
provider.on('access_token.destroyed', () => log.push('access_token.destroyed'));
provider.on('refresh_token.destroyed', () => log.push('refresh_token.destroyed'));

// How the next answers of the token endpoint are lost on their way: before a byte of them (drop), in the midst of one (cut), or
// the connection stays open and nothing comes (hang).
const lost = [];
const answer = provider.callback();
server.on('request', (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/_log') return response.end(JSON.stringify(log));
  if (url.pathname === '/_lose') {
    lost.push(url.searchParams.get('how'));
    return response.end('ok');
  }
  if (request.method === 'POST' && url.pathname === '/token' && lost.length > 0) {
    const how = lost.shift();
    response.end = (body) => {
      log.push(`lost ${how}`);
      if (how === 'drop') {
        request.socket.destroy();
      } else if (how === 'cut') {
        response.setHeader('content-length', Buffer.byteLength(body));
        response.write(Buffer.from(body).subarray(0, 20), () => request.socket.destroy());
      }
      return response;
    };
  }
  answer(request, response);
});
console.log(issuer);
