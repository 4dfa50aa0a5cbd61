import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { RefusedError } from '../../core/errors.ts';
import { scrubStart, scrubStatus } from '../maintenance-commands.ts';
import type { ScrubCounts } from '../schema.ts';
import {
  lookMaintained,
  maintain,
  maintainedClaims,
  maintainedUndo,
  planMaintained,
  revertMaintained,
} from './maintenance.ts';

const count = z.int();

/**
 * `tx.btrfs.scrub`: reads every copy of all data in a filesystem, and repairs bad copies from good
 * ones. Waits for the end. Any error fails the step, with the counts, even if all were corrected,
 * because the device is failing. There is nothing to undo.
 */
export const scrub = operation({
  kind: 'btrfs.scrub',
  version: 1,
  args: z.strictObject({
    /** Any path on the mounted filesystem, absolute. */
    path: z.string(),
  }),
  undo: maintainedUndo,
  result: z.strictObject({ dataBytes: count, metadataBytes: count }),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { path }, mark, host }) => {
    const planned = await planMaintained(host, path, mark);
    if ((await host.run(scrubStatus(planned.mounted))).state === 'running')
      throw new RefusedError(`a scrub of ${planned.mounted} is running already`, {
        remedy: `wait until it ends: bofh btrfs scrub status ${planned.mounted}`,
      });
    return planned;
  },
  claims: ({ undo, on }) => maintainedClaims('scrub', undo, on),
  run: async ({ undo, host }) => {
    const found = await maintain(host, undo, (root) => host.run(scrubStart(root)));
    refuseErrors(undo.mounted, found);
    return { dataBytes: found.dataBytes, metadataBytes: found.metadataBytes };
  },
  value: ({ undo: { fs }, result }) => ({ filesystem: fs, ...result }),
  look: ({ undo, host }) => lookMaintained(host, undo),
  revert: ({ undo, host }) => revertMaintained(host, undo),
  describe: ({ undo: { fs, mounted, note } }) => ({
    what: `the scrub of the btrfs ${fs} on ${mounted}, which only repairs bad copies; ${note} shows that it was started`,
    look: [['btrfs', 'scrub', 'status', mounted]],
    clear: [
      ['btrfs', 'scrub', 'cancel', mounted],
      ['rm', '-f', note],
    ],
  }),
});

/** Describes the errors; empty if there are none. */
export function errorsIn(found: ScrubCounts): readonly string[] {
  const sorts = [
    ['read errors', found.readErrors],
    ['wrong checksums', found.checksumErrors],
    ['wrong headers of metadata', found.headerErrors],
    ['superblocks with errors', found.superblockErrors],
    ['checks without enough memory', found.memoryErrors],
    ['uncorrectable', found.uncorrectable],
    ['unverified', found.unverified],
    ['corrected', found.corrected],
  ] as const;
  return sorts.flatMap(([what, number]) => (number === 0 ? [] : [`${number} ${what}`]));
}

function refuseErrors(path: string, found: ScrubCounts): void {
  const errors = errorsIn(found);
  if (errors.length === 0) return;
  const isLost = found.uncorrectable > 0;
  throw new RefusedError(`the scrub of ${path} found errors: ${errors.join(', ')}`, {
    remedy: isLost
      ? `find the damaged files: dmesg; restore them from a backup; then find the device with the errors: btrfs device stats ${path}`
      : `find the device with the errors, while there is still a good copy: btrfs device stats ${path}`,
  });
}
