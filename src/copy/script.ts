import { realpathSync } from 'node:fs';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { identityOf } from '../blockdevice/index.ts';
import { type ChangeHost, type Command, type ReadHost, scriptFailure } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { ownProgram } from '../core/own-program.ts';
import { absolutePath } from '../file/path.ts';
import { filesChanged, filesWitness, holding } from '../filesystem/index.ts';
import { refuseFullBeneath, watchingRoom } from '../lvm/index.ts';
import { scriptCommand } from './chroot.ts';
import { syncRoot } from './root.ts';
import { refuseUnsafeScript } from './source.ts';

const args = z.strictObject({
  /** An executable file of this host that only root can write. */
  script: absolutePath,
  /** The file is not a program but a description (`defineHost`), which bofh applies to the root. */
  description: z.exactOptional(z.boolean()),
  /**
   * Filesystems of the root, the one for `/` first. This sequence must have created all of them, or
   * with `made: 'snapshot'` their devices.
   */
  mounts: z.readonly(
    z
      .array(
        z.strictObject({
          /** The block device of the filesystem. */
          device: z.string(),
          /** UUID of the filesystem. */
          filesystem: z.string().check(z.minLength(1)),
          /** Its type as in mount(8): `ext4`. */
          type: z.string().check(z.minLength(1)),
          /** Mount point in the root: `/`, `/srv`. */
          target: z.union([z.literal('/'), absolutePath]),
        }),
      )
      .check(z.minLength(1)),
  ),
  /**
   * What this sequence created. `filesystem`: the filesystem of the root. `device`: its device; the filesystem
   * was copied onto it. `snapshot`: a snapshot of its device.
   */
  made: z.enum(['filesystem', 'device', 'snapshot']),
  /**
   * Variables of the script. It gets no others except PATH and HOME. No secrets, because the
   * journal contains the variables.
   */
  environment: z.exactOptional(z.record(z.string().check(z.regex(/^[A-Z_]+$/)), z.string())),
  /** Time limit in seconds (default: 600). */
  seconds: z.exactOptional(z.int().check(z.positive(), z.maximum(2_000_000))),
});

const undo = z.strictObject({
  script: z.string(),
  mounts: z.readonly(
    z.array(
      z.strictObject({
        ...{ device: z.string(), identity: z.string(), filesystem: z.string() },
        ...{ type: z.string(), target: z.string() },
      }),
    ),
  ),
  /** Key of the root's device when the step was prepared. */
  key: z.string(),
  /** Key of the object that this sequence created, and whose removal also removes the root. */
  within: z.string(),
  /** The filesystems existed before: the sequence created snapshots of their devices. */
  snapshots: z.exactOptional(z.literal(true)),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.copy.script`: runs an executable file of this host in new root filesystems, in a separate
 * mount namespace and process namespace, with /proc, /sys, /dev and the name servers of this host.
 * Its processes end with it. The file is not in the root. A description is applied as by `bofh host
 * apply` in the root, with the Node.js and the bofh of this host, and its imports come from its own
 * directory: the root needs only the programs that the steps run; every Debian root contains them.
 *
 * The script may change anything in the root, so it runs only in filesystems that the same sequence
 * created: their removal is its undo. Changes elsewhere are not undone.
 */
export const script = operation({
  kind: 'copy.script',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  onlyInOwn: true,
  prepare: async ({ args: asked, host }) => {
    await refuseUnsafeScript(host, asked.script, asked.description === true ? 'description' : 'program');
    if (asked.description === true) refuseElsewhere(host);
    const mounts: Undo['mounts'][number][] = [];
    for (const each of asked.mounts) {
      await refuseFullBeneath(host, each.device, `the script ${asked.script}`);
      const of = { ...each, identity: (await identityOf(host, each.device)).identity };
      if ((await holding(host, of)) === undefined)
        throw new RefusedError(`${each.device} does not hold the filesystem ${each.filesystem}`, {
          code: 'differs',
          remedy: `see what it holds: blkid --probe ${each.device}`,
        });
      mounts.push(of);
    }
    const { device = '', filesystem = '' } = mounts[0] ?? {};
    const { key, container } = await identityOf(host, device);
    const within = asked.made === 'filesystem' ? `fs:${filesystem}` : container;
    const snapshots = asked.made === 'snapshot' ? { snapshots: true as const } : {};
    return { script: asked.script, mounts, key, within, ...snapshots };
  },
  claims: async ({ undo: { script: path, mounts, snapshots }, on }) => {
    const devices = await Promise.all(mounts.map(({ device }) => on(device)));
    const filesystems = mounts.map(({ filesystem }) => `fs:${filesystem}`);
    const own = devices.map(({ key }) => key);
    const changes = snapshots === true ? own : filesystems;
    const needs = [`file:${path}`, ...filesystems, ...own, ...devices.flatMap(({ beneath }) => beneath)];
    return { changes, needs: [...new Set(needs)].filter((key) => !changes.includes(key)) };
  },
  within: ({ undo: { within } }) => within,
  run: async ({ args: asked, undo: { script: path, mounts }, host }) => {
    const { environment = {}, seconds = 600, description = false } = asked;
    const what = `the ${description ? 'description' : 'script'} ${path}`;
    const applyWith = description
      ? { node: process.execPath, program: realpathSync(ownProgram()) }
      : undefined;
    const devices = mounts.map(({ device }) => device);
    await watchingRoom(host, { devices, what }, (signal) =>
      act(host, what, {
        ...scriptCommand({ title: what, script: path, applyWith, mounts, environment, seconds }),
        signal,
      }),
    );
    for (const each of mounts) await syncRoot(host, each);
    return null;
  },
  value: ({ undo: { script: path } }) => ({ script: path }),
  look: async ({ undo: { mounts, key }, host }) => {
    const [root] = mounts;
    const node = root === undefined ? undefined : await holding(host, root);
    if (node === undefined) return { state: 'gone' };
    const now = (await identityOf(host, node.path)).key;
    return { state: 'ours', ...(now === key ? {} : { movedTo: now }) };
  },
  revert: ({ undo: { script: path, mounts } }) => {
    throw new RefusedError(
      `the changes of ${path} on ${mounts.map(({ device }) => device).join(', ')} cannot be undone separately, only together with the sequence that created the filesystems`,
      { remedy: 'roll back the whole sequence: bofh recover' },
    );
  },
  content: {
    lost: 'undone',
    of: 'files',
    witness: async ({ undo: { mounts }, host }) => {
      const found: string[] = [];
      for (const each of mounts) {
        const witness = await filesWitness(host, each);
        if (witness === undefined) return undefined;
        found.push(witness);
      }
      return found.join('\n');
    },
    // Writes of an interrupted script cannot be distinguished from those of others.
    changed: async ({ undo: { mounts }, witness, host }) => {
      const witnesses = witness?.split('\n') ?? [];
      for (const [at, known] of witnesses.entries()) {
        const each = mounts[at];
        const changed = each === undefined ? undefined : await filesChanged(host, each, known);
        if (changed !== undefined) return changed;
      }
      return undefined;
    },
  },
  sync: async ({ undo: { mounts }, host }) => {
    for (const each of mounts) await syncRoot(host, each);
  },
  describe: ({ undo: { script: path, mounts } }) => ({
    what: `what ${path} wrote into ${mounts.map(({ device }) => device).join(', ')}`,
    look: mounts.map(({ device }) => ['blkid', '--probe', device]),
    clear: [],
  }),
});

/** RefusedError for another host: a root gets the Node.js and the bofh of the host that bofh runs on. */
export function refuseElsewhere({ name }: ReadHost): void {
  if (name !== '')
    throw new RefusedError('bofh applies a description only to root filesystems on its own host', {
      remedy: `run the command on ${name}`,
    });
}

/**
 * Runs the program. Its command line does not help the user, so the error has the last lines of the
 * script instead.
 */
async function act(host: ChangeHost, what: string, command: Command<void>): Promise<void> {
  try {
    await host.run(command);
  } catch (error) {
    throw scriptFailure(what, error, command.timeoutMs);
  }
}
