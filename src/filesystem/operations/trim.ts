import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { identityOf, locate } from '../../blockdevice/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { fstrim } from '../commands/trim.ts';
import { deviceOf, refuseWithoutDiscard, writablePath } from '../trimming.ts';

const args = z.strictObject({
  /** The device of a mounted filesystem, a link to it or `UUID=…`; or an absolute path on the filesystem. */
  path: z.string().check(z.minLength(1)),
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  /** Where it is mounted. Only shown. */
  mounted: z.string(),
  /** The file on /run that shows that the step has begun. */
  note: z.string(),
});

/**
 * Discards the unused blocks of a mounted filesystem, so that a thin pool, a sparse file or an SSD
 * below gets them back. No file changes, so there is nothing to undo, but a deleted file cannot be
 * recovered afterwards. What the sequence itself removes after its commit is not discarded yet:
 * trim in a later sequence.
 */
export const trim = operation({
  kind: 'filesystem.trim',
  version: 1,
  args,
  undo,
  result: z.strictObject({ trimmed: z.int() }),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { path }, mark, host }) => {
    const device = await deviceOf(host, path);
    const mounted = await writablePath(host, device);
    await refuseWithoutDiscard(host, device);
    const { identity } = await identityOf(host, device);
    return { device, identity, mounted, note: noteOf(mark) };
  },
  claims: async ({ undo: { device }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`trim:${key}`], needs: [key, ...beneath] };
  },
  run: async ({ undo: { device: path, identity, note }, host }) => {
    const device = await locate(host, { path, identity });
    if (device === undefined)
      throw new RefusedError(`${path} is gone; nothing was trimmed`, {
        code: 'not-found',
        remedy: 'see what is mounted: findmnt --real; then run the command again',
      });
    const mounted = await writablePath(host, device);
    await writeNote(host, note);
    return { trimmed: await host.run(fstrim(mounted)) };
  },
  value: ({ undo: { device, mounted }, result }) => ({ device, mounted, ...result }),
  look: async ({ undo: { note }, host }) => ({
    state: (await host.stat(note)) === undefined ? 'gone' : 'ours',
  }),
  revert: ({ undo: { note }, host }) => removeNote(host, note),
  describe: ({ undo: { device, mounted, note } }) => ({
    what: `the trim of ${device} on ${mounted}, which only discards unused blocks; ${note} shows that it was started`,
    look: [['ls', '-l', note]],
    clear: [['rm', '-f', note]],
  }),
});
