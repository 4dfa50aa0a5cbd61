import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { Download } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';

/** Time in milliseconds after which a connection without new data is closed. */
const stallMs = 60_000;

/** Requests a URL and returns the answer after redirects; follows redirects only to https. */
export async function get(
  url: string,
  headers: Readonly<Record<string, string>>,
  of: Pick<Download, 'stallMs' | 'signal'>,
  left = 10,
): Promise<http.IncomingMessage> {
  const answer = await request(new URL(url), headers, of).catch((error: unknown) => {
    const { message, code = '' } = error as NodeJS.ErrnoException;
    const isTrust = /CERT|SELF_SIGNED|UNABLE_TO_/.test(code);
    throw new RefusedError(`${url} cannot be downloaded: ${message}`, {
      cause: error,
      code: 'unreachable',
      remedy: isTrust
        ? 'for a certificate authority of your own: export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt; then run the command again'
        : `see whether the server answers: curl --head --location ${url}`,
    });
  });
  const { location } = answer.headers;
  if (![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) || location === undefined) return answer;
  answer.destroy();
  const next = new URL(location, url);
  if (next.protocol === 'https:' && left > 0) return get(next.href, headers, of, left - 1);
  throw new RefusedError(
    left > 0
      ? `${url} redirects to ${next.protocol}, and bofh follows only redirects to https:`
      : `more than 10 redirects, the last one to ${url}`,
    { remedy: 'use the address of the file itself' },
  );
}

async function request(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { stallMs: stalled = stallMs, signal }: Pick<Download, 'stallMs' | 'signal'>,
): Promise<http.IncomingMessage> {
  const proxy = proxyFor(url);
  const socket = proxy === undefined ? undefined : await tunnel(proxy, url, stalled);
  const asked = https.get(url, {
    headers: { 'Accept-Encoding': 'identity', 'User-Agent': 'bofh', ...headers },
    ...present({ signal }),
    ...(socket === undefined
      ? { agent: false }
      : { createConnection: () => connect({ socket, servername: url.hostname }) }),
  });
  let reading: http.ClientRequest | http.IncomingMessage = asked;
  asked.setTimeout(stalled, () =>
    reading.destroy(new Error(`no data was received for ${String(stalled / 1000)} s`)),
  );
  const [answer] = (await once(asked, 'response')) as [http.IncomingMessage];
  reading = answer;
  // Node reports an error of the connection to the request, and not to the reader of the answer.
  asked.on('error', (error) => answer.destroy(error));
  return answer;
}

/**
 * The proxy from `https_proxy`, unless `no_proxy` names the host or its domain. The same variables as for
 * curl, but no `all_proxy`, no networks (10.0.0.0/8) in `no_proxy`, and 80 as the usual port of the proxy.
 */
function proxyFor({ hostname }: URL): URL | undefined {
  const {
    https_proxy: proxy = process.env['HTTPS_PROXY'] ?? '',
    no_proxy: none = process.env['NO_PROXY'] ?? '',
  } = process.env;
  const without = none.split(',').map((each) => each.trim().replace(/^\*?\./, ''));
  const isNear = without.some((each) => each === '*' || (each !== '' && `.${hostname}`.endsWith(`.${each}`)));
  return proxy === '' || isNear ? undefined : new URL(/^\w+:\/\//.test(proxy) ? proxy : `http://${proxy}`);
}

/** A connection to the server through a proxy (CONNECT). */
async function tunnel(proxy: URL, { hostname, port }: URL, stalled: number) {
  const { username, password, host, protocol } = proxy;
  const path = `${hostname}:${port === '' ? '443' : port}`;
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
    'base64',
  );
  const headers = { Host: path, ...(username === '' ? {} : { 'Proxy-Authorization': `Basic ${login}` }) };
  const asked = (protocol === 'https:' ? https : http).request({
    ...{ method: 'CONNECT', path, headers, agent: false },
    ...{ hostname: proxy.hostname, port: proxy.port === '' ? undefined : proxy.port },
  });
  asked.setTimeout(stalled, () => asked.destroy(new Error(`the proxy ${host} did not answer`)));
  asked.end();
  const [answer, socket] = (await once(asked, 'connect')) as [http.IncomingMessage, Socket];
  socket.setTimeout(0);
  if (answer.statusCode === 200) return socket;
  socket.destroy();
  throw new Error(
    `the proxy ${host} refuses it: ${String(answer.statusCode)} ${answer.statusMessage ?? ''}`.trim(),
  );
}
