/**
 * An operation of your own: a DNS record, as a file in a directory that dnsmasq reads (`hostsdir`).
 *
 * Its first line has the mark of the step. By it `bofh recover` knows after a crash, or a SIGKILL,
 * that this sequence created the file, and removes no other.
 */
import { isIPv4 } from 'node:net';
import { dirname, join } from 'node:path';
import { operation, RefusedError, type Schema } from 'bofh';

interface Args {
  readonly directory: string;
  readonly name: string;
  readonly address: string;
}

interface Undo {
  readonly path: string;
  readonly content: string;
}

/** A schema of zod, valibot or arktype does this too. */
function schema<T>(what: string, is: (value: Partial<Record<keyof T, unknown>>) => boolean): Schema<T> {
  const validate = (value: unknown) =>
    typeof value === 'object' && value !== null && is(value)
      ? { value: value as T }
      : { issues: [{ message: `${what} was expected` }] };
  return { '~standard': { version: 1, vendor: 'acme', validate } };
}

const text = (value: unknown): boolean => typeof value === 'string';

export const record = operation({
  kind: 'acme.dns.record',
  version: 1,
  args: schema<Args>(
    'a directory, a name and an IPv4 address',
    ({ directory, name, address }) =>
      text(directory) && /^[a-z0-9-]+$/.test(String(name)) && isIPv4(String(address)),
  ),
  undo: schema<Undo>('a path and a content', ({ path, content }) => text(path) && text(content)),
  result: schema<object>('an object', () => true),
  lives: 'disk',
  restores: 'state',
  // Reads only. What it returns is written to the journal before anything changes.
  prepare: async ({ args: { directory, name, address }, mark, host }) => {
    const path = join(directory, name);
    if ((await host.stat(path)) !== undefined)
      throw new RefusedError(`${path} exists`, { code: 'exists', remedy: 'remove the old record first' });
    return { path, content: `# ${mark}\n${address} ${name}\n` };
  },
  claims: ({ undo: { path } }) => ({ makes: [`file:${path}`] }),
  run: async ({ undo: { path, content }, host }) => {
    await host.writeNew(path, content, { mode: 0o644 });
    return {};
  },
  value: ({ undo: { path } }) => ({ path }),
  look: async ({ undo: { path, content }, host }) => {
    if ((await host.stat(path)) === undefined) return { state: 'gone' };
    const now = new TextDecoder().decode(await host.readFile(path));
    // A crash can leave a part of the file.
    return content.startsWith(now) ? { state: 'ours' } : { state: 'not-ours', found: `${path} of others` };
  },
  revert: ({ undo: { path }, host }) => host.removeFile(path),
  sync: ({ undo: { path }, host }) => host.sync(dirname(path)),
  describe: ({ undo: { path } }) => ({
    what: `the DNS record ${path}`,
    look: [['cat', path]],
    clear: [['rm', path]],
  }),
});
