import * as z from 'zod/mini';
import { operation, type OperationSpec, RefusedError } from '../../../src/index.ts';

/** Where records are. It must exist. */
export const records = '/srv/records';

/** An operation such as the author of a script writes: a record is a file, which has the mark of its step in it. */
export const recordSpec: OperationSpec<
  { name: string },
  { path: string; mark: string },
  null,
  { readonly path: string }
> = {
  kind: 'acme.record',
  version: 1,
  args: z.strictObject({ name: z.string() }),
  undo: z.strictObject({ path: z.string(), mark: z.string() }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { name }, mark, host }) => {
    const path = `${records}/${name}`;
    if ((await host.stat(path)) !== undefined) throw new RefusedError(`${path} exists`, { code: 'exists' });
    return { path, mark };
  },
  claims: ({ undo: { path } }) => ({ makes: [`file:${path}`] }),
  run: async ({ undo: { path, mark }, host }) => {
    await host.writeNew(path, mark, { mode: 0o600 });
    return null;
  },
  value: ({ undo: { path } }) => ({ path }),
  look: async ({ undo: { path, mark }, host }) => {
    if ((await host.stat(path)) === undefined) return { state: 'gone' };
    const text = new TextDecoder().decode(await host.readFile(path));
    return text === mark ? { state: 'ours' } : { state: 'not-ours', found: `${path} of others` };
  },
  revert: async ({ undo: { path }, host }) => host.removeFile(path),
  sync: async ({ host }) => host.sync(records),
};

export const record = operation(recordSpec);
