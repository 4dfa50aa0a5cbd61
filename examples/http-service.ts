/**
 * An HTTP service that creates volumes with a filesystem: PORT=8080 bofh run http-service.ts
 *
 *     curl -X POST -d '{"name":"web1","size":"1g"}' http://localhost:8080/volumes
 *
 * Two requests for one volume do not disturb each other: the second waits, and finds it there.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { atomic, BofhError, type ErrorCode, lvm, RolledBackError } from 'bofh';

const vg = process.env.VG ?? 'vg0';

/** The status of an answer by the code of the error; any other code is a failure of the host: 500. */
const statuses: Partial<Record<ErrorCode, number>> = {
  invalid: 400,
  'not-found': 404,
  differs: 409,
  exists: 409,
  'in-use': 409,
  busy: 503,
  timeout: 503,
  interrupted: 503,
  'no-space': 507,
};

async function create(request: IncomingMessage, signal: AbortSignal): Promise<object> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const asked = JSON.parse(text) as { readonly name: string; readonly size: string };
  return atomic(
    `volume ${asked.name}`,
    async (tx) => {
      const { value, changed } = await tx.ensure.lvm.createLv({ vg, name: asked.name, size: asked.size });
      await tx.ensure.filesystem.create({ device: value.path, type: 'ext4' });
      return { ...value, changed };
    },
    // Undone when the client goes away.
    { signal, wait: 10_000, timeout: 60_000 },
  );
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new Error('the client went away')));
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  try {
    const what = `${request.method ?? ''} ${request.url ?? ''}`;
    if (what === 'POST /volumes') send(201, await create(request, gone.signal));
    else if (what === 'GET /volumes') send(200, await lvm.lvs({ vg }));
    else send(404, { message: `${what} is not known` });
  } catch (error) {
    if (error instanceof SyntaxError) send(400, { message: 'the body is not JSON' });
    else if (!(error instanceof BofhError)) send(500, { message: String(error) });
    else {
      // Of a sequence that was undone the cause says what to answer.
      const code = (error instanceof RolledBackError ? error.causeCode : error.code) ?? 'rolled-back';
      send(statuses[code] ?? 500, error);
    }
  }
}

/** Listens on this machine only. */
export async function serve(port: number): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return server;
}

if (process.env.PORT !== undefined) {
  const server = await serve(Number(process.env.PORT));
  // bofh undoes what a request is at; the service ends when that is answered.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => server.close());
  await once(server, 'close');
}
