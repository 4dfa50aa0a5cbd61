import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { refuseFullMembers, watchingMembers } from '../devices.ts';
import { balanceStart, balanceStatus } from '../maintenance-commands.ts';
import {
  lookMaintained,
  maintain,
  maintainedClaims,
  maintainedUndo,
  planMaintained,
  revertMaintained,
} from './maintenance.ts';

const percent = z.exactOptional(z.int().check(z.minimum(0), z.maximum(100)));

/**
 * `tx.btrfs.balance`: rewrites the block groups with at most this usage, in percent, to free the
 * space that they do not need; refused without a filter. Waits for the end. There is nothing to
 * undo: an interrupted balance is cancelled, and moved data stays where it is. After a power cut
 * the kernel continues the balance at the next mount.
 */
export const balance = operation({
  kind: 'btrfs.balance',
  version: 1,
  args: z.strictObject({
    /** Any path on the mounted filesystem, absolute. */
    path: z.string(),
    /** Rewrites data block groups that are at most this full, in percent (0 to 100). */
    dataUsage: percent,
    /** Rewrites metadata block groups that are at most this full, in percent (0 to 100). */
    metadataUsage: percent,
  }),
  undo: maintainedUndo,
  result: z.strictObject({ relocated: z.int(), chunks: z.int() }),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { path, dataUsage, metadataUsage }, mark, host }) => {
    if (dataUsage === undefined && metadataUsage === undefined)
      throw new UsageError(
        'a balance needs a filter: give the highest usage of the block groups to rewrite',
        {
          remedy: `${option('--data-usage 50', 'dataUsage: 50')} is a good start; higher values take longer`,
        },
      );
    const planned = await planMaintained(host, path, mark);
    const { state } = await host.run(balanceStatus(planned.mounted));
    if (state !== 'none')
      throw new RefusedError(`${planned.mounted} already has a balance, which is ${state}`, {
        remedy:
          state === 'paused'
            ? `btrfs balance resume ${planned.mounted}; or btrfs balance cancel ${planned.mounted}`
            : `wait until it ends: bofh btrfs balance status ${planned.mounted}`,
      });
    await refuseFullMembers(host, planned.fs, `the balance of ${planned.mounted}`);
    return planned;
  },
  claims: ({ undo, on }) => maintainedClaims('balance', undo, on),
  run: ({ args: { dataUsage, metadataUsage }, undo, host }) =>
    maintain(host, undo, (path) =>
      watchingMembers(host, { fs: undo.fs, what: `the balance of ${undo.mounted}` }, (signal) =>
        host.run({ ...balanceStart({ path, data: dataUsage, metadata: metadataUsage }), signal }),
      ),
    ),
  value: ({ undo: { fs }, result }) => ({ filesystem: fs, ...result }),
  look: ({ undo, host }) => lookMaintained(host, undo),
  revert: ({ undo, host }) => revertMaintained(host, undo),
  describe: ({ undo: { fs, mounted, note } }) => ({
    what: `the balance of the btrfs ${fs} on ${mounted}; block groups that it has moved may stay; ${note} shows that it was started`,
    look: [['btrfs', 'balance', 'status', mounted]],
    clear: [
      ['btrfs', 'balance', 'cancel', mounted],
      ['rm', '-f', note],
    ],
  }),
});
