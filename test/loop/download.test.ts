import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer as plainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

// A process of its own downloads: Node reads NODE_EXTRA_CA_CERTS when it starts.

const local = fileURLToPath(new URL('../../src/host/local.ts', import.meta.url));
const content = randomBytes(3_000_000);
const sum = createHash('sha256').update(content).digest('hex');
let certificates: string;
let dir: string;
let path: string;
let server: Server;
let base: string;
/** What the server does; `requests` has what it was asked. */
let serve: (request: IncomingMessage, response: ServerResponse) => void;
let requests: IncomingMessage[];

beforeAll(() => {
  certificates = mkdtempSync(join(tmpdir(), 'bofh-ca-'));
  const openssl = (...argv: readonly string[]) =>
    execFileSync('openssl', argv, { cwd: certificates, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=CA of a test');
  openssl(
    ...([
      'req',
      '-x509',
      ...key,
      '-keyout',
      'key.pem',
      '-out',
      'cert.pem',
      '-subj',
      '/CN=localhost',
    ] as const),
    ...(['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'subjectAltName=DNS:localhost'] as const),
  );
});
afterAll(() => rmSync(certificates, { recursive: true }));

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'bofh-download-'));
  path = join(dir, 'cache', 'web.qcow2');
  requests = [];
  serve = whole;
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(certificates, name)));
  server = createServer({ cert, key }, (request, response) => {
    requests.push(request);
    serve(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `https://localhost:${String((server.address() as AddressInfo).port)}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  rmSync(dir, { recursive: true, force: true });
});

const headers = { 'Accept-Ranges': 'bytes', ETag: '"one"' };

/** As a web server with a file does it. */
function whole(request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const rest = content.subarray(from);
  const isRest = request.headers['if-range'] === '"one"';
  if (isRest)
    response.writeHead(206, {
      ...headers,
      'Content-Length': rest.length,
      'Content-Range': `bytes ${from}-${content.length - 1}/${content.length}`,
    });
  else response.writeHead(200, { ...headers, 'Content-Length': content.length });
  response.end(isRest ? rest : content);
}

/** Ends the connection after so many bytes. */
function cut(count: number, extra: Readonly<Record<string, string>> = headers): typeof serve {
  return (_, response) => {
    response.writeHead(200, { ...extra, 'Content-Length': content.length });
    response.write(content.subarray(0, count), () => response.destroy());
  };
}

interface Given {
  readonly url?: string;
  readonly checksum?: string;
  readonly stallMs?: number;
  readonly interrupted?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Downloads; returns the error, and the parts of the progress. */
async function download({
  url = `${base}/web.qcow2`,
  checksum = sum,
  stallMs,
  interrupted = false,
  env = {},
}: Given = {}) {
  const of = JSON.stringify({ url, path, algorithm: 'sha256', checksum, stallMs });
  const script = join(dir, 'download.ts');
  writeFileSync(
    script,
    `import { localHost } from ${JSON.stringify(local)};
    const ending = new AbortController();
    const onProgress = (fraction) => {
      console.log('progress ' + fraction);
      if (${String(interrupted)}) ending.abort();
    };
    void localHost().download({ ...${of}, onProgress, signal: ending.signal }).then(
      () => console.log('done'),
      ({ code, message, remedy }) => console.log('failed ' + JSON.stringify({ code, message, remedy })),
    );`,
  );
  const child = spawn(process.execPath, ['--import', 'jiti/register', script], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(certificates, 'ca.pem'), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  const lines = said.trim().split('\n');
  const failure = /^failed (.*)$/.exec(lines.at(-1) ?? '')?.[1];
  return {
    progress: lines.filter((line) => line.startsWith('progress')),
    error: failure === undefined ? lines.at(-1) : (JSON.parse(failure) as Record<string, string>),
  };
}

const inCache = (): readonly string[] => readdirSync(join(dir, 'cache'));

describe('a download over https', () => {
  it('is complete or absent; a second one needs no server', async () => {
    const { error, progress } = await download();
    expect(error).toBe('done');
    expect(progress.length).toBeGreaterThan(0);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(inCache()).toEqual(['web.qcow2']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'cache')).mode & 0o777).toBe(0o700);
    expect(requests).toHaveLength(1);

    expect((await download()).error).toBe('done');
    expect(requests).toHaveLength(1);
  });

  it('continues one that was interrupted', async () => {
    serve = cut(1_000_000);
    expect((await download()).error).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('ended early') as string,
    });
    expect(inCache()).toEqual([expect.stringMatching(/^web\.qcow2\..+\.part$/)]);
    serve = whole;
    expect((await download()).error).toBe('done');
    expect(requests[1]?.headers).toMatchObject({
      range: expect.stringMatching(/^bytes=[1-9]\d+-$/) as string,
      'if-range': '"one"',
    });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(inCache()).toEqual(['web.qcow2']);
  });

  it.each([
    ['has another file now', '"two"', 2],
    ['does not say which file it has', '', 2],
  ])('starts again if the server %s', async (_, etag, count) => {
    serve = cut(1_000_000, etag === '' ? {} : { ETag: etag });
    await download();
    serve = whole;
    expect((await download()).error).toBe('done');
    expect(requests).toHaveLength(count);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('starts again if the server has fewer bytes, or different ones', async () => {
    serve = cut(1_000_000);
    await download();
    serve = (request, response) => {
      if (request.headers.range === undefined) whole(request, response);
      else response.writeHead(416, { 'Content-Range': 'bytes */5' }).end();
    };
    expect((await download()).error).toBe('done');
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('with another checksum is deleted, and the error shows both checksums', async () => {
    const wanted = '0'.repeat(64);
    const { error } = await download({ checksum: wanted });
    expect(error).toMatchObject({
      code: 'differs',
      message: expect.stringContaining(`${sum} instead of ${wanted}`) as string,
    });
    expect(inCache()).toEqual([]);
  });

  it('does not continue from changed bytes', async () => {
    serve = cut(1_000_000);
    await download();
    const [part = ''] = inCache();
    writeFileSync(join(dir, 'cache', part), Buffer.alloc(1_000_000));
    serve = whole;
    expect((await download()).error).toMatchObject({ code: 'differs' });
    expect(inCache()).toEqual([]);
    expect((await download()).error).toBe('done');
  });

  it.each([
    ['is not found', 404, {}, 'not-found', '404'],
    ['is denied', 403, {}, 'unreachable', '403'],
    ['leads to http', 302, { Location: 'http://localhost/web.qcow2' }, 'refused', 'redirects to http:'],
    ['leads to itself', 301, { Location: '/web.qcow2' }, 'refused', 'more than 10 redirects'],
    ['is compressed', 200, { 'Content-Encoding': 'gzip' }, 'refused', 'the server compresses'],
    ['is larger than what is free', 200, { 'Content-Length': '9000000000000000' }, 'no-space', 'free'],
  ] as const)('is refused if the file %s', async (_, status, given, code, message) => {
    serve = (_request, response) => {
      response.writeHead(status, given);
      response.flushHeaders();
      if (!('Content-Length' in given)) response.end();
    };
    expect((await download()).error).toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
    expect(() => statSync(path)).toThrow();
  });

  it('follows a redirect to https', async () => {
    serve = (request, response) => {
      if (request.url === '/other.qcow2') whole(request, response);
      else response.writeHead(302, { Location: `${base}/other.qcow2` }).end();
    };
    expect((await download()).error).toBe('done');
  });

  it('times out when the server sends nothing, before or within the answer', async () => {
    serve = () => undefined;
    expect((await download({ stallMs: 500 })).error).toMatchObject({
      message: expect.stringContaining('no data was received for 0.5 s') as string,
    });
    serve = (_, response) => {
      response.writeHead(200, { ...headers, 'Content-Length': content.length });
      response.write(content.subarray(0, 1000));
    };
    expect((await download({ stallMs: 500 })).error).toMatchObject({
      message: expect.stringMatching(
        /ended early: 1000 B received, then: no data was received for 0\.5 s/,
      ) as string,
    });
  });

  it('is refused for a certificate of an unknown authority', async () => {
    expect((await download({ env: { NODE_EXTRA_CA_CERTS: '' } })).error).toMatchObject({
      remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS') as string,
    });
  });

  it('uses a proxy, except for hosts in no_proxy', async () => {
    const asked: string[] = [];
    const proxy = plainServer();
    proxy.on(
      'connect',
      ({ url = '', headers: given }: IncomingMessage, client: import('node:net').Socket) => {
        asked.push(`${url} ${String(given['proxy-authorization'])}`);
        const [host = '', port] = url.split(':');
        const upstream = connect(Number(port), host === 'localhost' ? '127.0.0.1' : host, () => {
          client.write('HTTP/1.1 200 OK\r\n\r\n');
          upstream.pipe(client).pipe(upstream);
        });
        upstream.on('error', () => client.destroy());
        client.on('error', () => upstream.destroy());
      },
    );
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const at = `http://me:secret@127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
    expect((await download({ env: { https_proxy: at, no_proxy: 'other' } })).error).toBe('done');
    const login = Buffer.from('me:secret').toString('base64');
    expect(asked).toEqual([`${base.slice('https://'.length)} Basic ${login}`]);
    rmSync(path);
    expect((await download({ env: { https_proxy: at, no_proxy: 'other, localhost' } })).error).toBe('done');
    expect(asked).toHaveLength(1);
    proxy.close();
  });

  it('keeps what it got on a full disk, and continues from there', async () => {
    const cache = join(dir, 'cache');
    mkdirSync(cache);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2M,mode=0700', 'none', cache]);
    try {
      expect((await download()).error).toMatchObject({
        code: 'no-space',
        message: expect.stringContaining('free') as string,
      });
      serve = (_, response) => void response.writeHead(200, headers).end(content);
      expect((await download()).error).toMatchObject({
        code: 'no-space',
        message: expect.stringContaining('is full') as string,
      });
      execFileSync('mount', ['-o', 'remount,size=8M', cache]);
      serve = whole;
      expect((await download()).error).toBe('done');
      expect(requests.at(-1)?.headers.range).toMatch(/^bytes=[1-9]/);
      expect(readFileSync(path).equals(content)).toBe(true);
    } finally {
      execFileSync('umount', [cache]);
    }
  });

  it('stops at a signal, and keeps what it got', async () => {
    serve = (_, response) => {
      response.writeHead(200, { ...headers, 'Content-Length': content.length });
      response.write(content.subarray(0, 1000));
    };
    expect((await download({ interrupted: true })).error).toMatchObject({ code: 'interrupted' });
    expect(inCache()).toEqual([expect.stringMatching(/\.part$/)]);
  });

  it('runs in one process at a time', async () => {
    let open: ServerResponse | undefined;
    const asked = new Promise<void>((resolve) => {
      serve = (_, response) => {
        response.writeHead(200, { ...headers, 'Content-Length': content.length });
        response.write(content.subarray(0, 1000));
        open = response;
        resolve();
      };
    });
    const first = download();
    await asked;
    expect((await download()).error).toMatchObject({ code: 'busy' });
    open?.end(content.subarray(1000));
    expect((await first).error).toBe('done');
  });

  it('removes partial files that are older than a week, and no others', async () => {
    mkdirSync(join(dir, 'cache'), { mode: 0o700 });
    for (const name of ['old.qcow2.x.part', 'new.qcow2.x.part', 'old.qcow2']) {
      writeFileSync(join(dir, 'cache', name), 'x');
      if (name.startsWith('old')) utimesSync(join(dir, 'cache', name), 0, 0);
    }
    expect((await download()).error).toBe('done');
    expect([...inCache()].sort()).toEqual(['new.qcow2.x.part', 'old.qcow2', 'web.qcow2']);
  });

  it('is refused into a directory that others can enter', async () => {
    mkdirSync(join(dir, 'cache'));
    chmodSync(join(dir, 'cache'), 0o755);
    expect((await download()).error).toMatchObject({
      message: expect.stringContaining('only root can enter') as string,
    });
    expect(requests).toHaveLength(0);
  });
});
