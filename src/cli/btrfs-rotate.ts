import * as api from '../api/btrfs.ts';
import { rotationOf, rotationRequest } from '../btrfs/rotation.ts';
import type { BtrfsRotated } from './answers/index.ts';
import { changed } from './btrfs-change.ts';
import { confirm } from './confirm.ts';
import { counted } from './rotation.ts';
import type { Runtime } from './runtime.ts';
import { untilInterrupted } from './session.ts';
import { printable } from './text.ts';

/** `bofh btrfs snapshot rotate SOURCE TARGET --label LABEL`: asks only when something is to be deleted. */
export async function rotate(
  runtime: Runtime,
  asked: {
    readonly source: string;
    readonly target: string;
    readonly label: string;
    readonly keep?: string;
  },
): Promise<number> {
  const { keep, ...rest } = asked;
  const request = rotationRequest({ ...rest, ...(keep === undefined ? {} : { keep: counted(keep) }) });
  let agreed: readonly string[] | undefined;
  return changed(runtime, {
    before: async ({ host }) => {
      const { mode, consent } = runtime.settings;
      if (mode === 'plan' || consent === 'given') return;
      const { surplus } = await untilInterrupted(runtime, rotationOf(host, request, new Date()));
      agreed = surplus.map(({ uuid }) => uuid);
      if (surplus.length === 0) return;
      await confirm(runtime, [
        `this deletes ${surplus.length} of the snapshots of the label ${request.label}:`,
        ...surplus.map(({ path }) => `  ${printable(path)}`),
      ]);
    },
    act: () => api.rotateSnapshots({ ...request, agreed }),
    data: ({ made, deleted, stays }): BtrfsRotated => ({
      made: { path: made.path, id: made.id, uuid: made.uuid },
      deleted: deleted.map(({ path, id, uuid }) => ({ path, id, uuid })),
      stays: stays.map((one) => ({ ...one })),
    }),
    lines: ({ made, deleted, stays }) => [
      `${printable(made.path)} is made`,
      ...deleted.map(({ path }) => `${printable(path)} is deleted`),
      ...stays.map(({ path, why }) => `${printable(path)} stays: ${printable(why)}`),
    ],
  });
}
