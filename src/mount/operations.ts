import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation, type Look } from '../atomic/operation.ts';
import { describeMount, deviceNode, type MountEntry, mountEntries } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, type Holder, RefusedError } from '../errors.ts';
import { mount as mountCommand } from './commands.ts';
import { emptyDirectory, makePrivateMounts, privateMounts, realPath } from './paths.ts';
import { describe, markOption, mountsAt, mountsOn, userEntries } from './table.ts';
import { unmount } from './unmount.ts';

// These are not options of a filesystem: they make another thing of the mount than the one that is undone.
const refusedOption =
  /^(?:ro|rw|remount|r?bind|move|loop|offset|sizelimit|r?(?:shared|slave|private|unbindable)|[xX]-.*)(?:=.*)?$/;

const option = z.string().check(
  z.regex(/^[^\s,"\\]+$/, 'one option each, without commas, quotes or spaces'),
  z.refine((text) => !refusedOption.test(text), 'not an option that a mount of ours may have'),
);

const args = z.strictObject({
  /** A device, a link to one, or `UUID=…`. */
  device: z.string(),
  /** An existing empty directory; without it a private one is made, and removed by the undo. */
  path: z.exactOptional(z.string()),
  type: z.exactOptional(z.string().check(z.regex(/^[a-z0-9][a-z0-9_-]*$/))),
  options: z.exactOptional(z.readonly(z.array(option))),
  mode: z.enum(['ro', 'rw']),
});

const undo = z.strictObject({
  /** As the kernel names it. */
  path: z.string(),
  /** The directory is ours too; its name bears the mark. */
  private: z.boolean(),
  device: z.string(),
  /** `major:minor` of the device: of no meaning after a reboot, but neither is the mount. */
  number: z.string(),
  mark: z.string(),
});

const result = z.strictObject({ mountId: z.int() });

type Undo = z.infer<typeof undo>;
type Result = z.infer<typeof result>;

/**
 * `tx.mount.mount`: mounts a filesystem on a private directory, or on an empty one of the administrator's.
 *
 * The mark: a private directory bears it in its name. On another's directory device, path and (once known) mount id
 * prove nothing, as anybody can mount that device there; so the mount carries `x-bofh.mark=MARK`, which libmount
 * keeps beside the kernel's table and drops at the umount.
 */
export const mount = operation({
  kind: 'mount.mount',
  version: 1,
  args,
  undo,
  result,
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { device, path }, mark, host }) => {
    const node = await deviceNode(host, device);
    const common = { device: node.path, number: node.number, mark };
    if (path !== undefined) return { ...common, path: await freeDirectory(host, path), private: false };
    const own = posix.join(privateMounts, mark);
    if ((await host.stat(own)) !== undefined)
      throw new RefusedError(`${own} exists already`, {
        remedy: `see what is mounted there (findmnt ${own}), and remove it`,
      });
    return { ...common, path: own, private: true };
  },
  claims: async ({ undo: { path, device }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`mnt:${path}`, key], needs: beneath };
  },
  run: async ({ args: asked, undo: wanted, host }) => {
    if (wanted.private) {
      await makePrivateMounts(host);
      await host.makeDir(wanted.path, { mode: 0o700 });
    }
    const before = new Set((await mountEntries(host)).map(({ id }) => id));
    const options = [...(asked.options ?? []), markOption(wanted.mark)];
    await host.run(mountCommand({ ...asked, device: wanted.device, path: wanted.path, options }));
    const made = await confirm(host, wanted, before);
    if (asked.mode === 'rw' && made.superOptions.split(',').includes('ro'))
      throw new RefusedError(`${wanted.device} is write-protected: it could be mounted read-only alone`, {
        remedy: `mount it read-only, mode ro, or take the protection off: blockdev --setrw ${wanted.device}`,
      });
    return { mountId: made.id };
  },
  value: ({ undo: { path } }) => ({ path }),
  look: ({ undo: made, result: known, host }) => look(host, made, known),
  revert: async ({ undo: made, result: known, host }) => {
    const { mine } = await survey(host, made, known);
    if (mine !== undefined) await unmount(host, mine);
    // Removed last, because its name is the mark. rmdir fails, as it should, when something else lies in it.
    if (made.private && (await host.stat(made.path)) !== undefined) await host.removeDir(made.path);
  },
  describe: ({ undo: { path, device, private: own }, result: known }) => ({
    what: `the mount of ${device} on ${path}${known === undefined ? '' : ` (mount ${known.mountId})`}`,
    look: [
      ['findmnt', '--output', 'ID,TARGET,SOURCE,OPTIONS', '--mountpoint', path],
      ['fuser', '--verbose', '--ismountpoint', '--mount', path],
    ],
    clear: [['umount', path], ...(own ? [['rmdir', path]] : [])],
  }),
});

interface Survey {
  readonly entries: readonly MountEntry[];
  readonly mine: MountEntry | undefined;
}

async function survey(host: ReadHost, made: Undo, known: Result | undefined): Promise<Survey> {
  const entries = await mountEntries(host);
  const candidates = candidatesOf(entries, made).filter(
    ({ id }) => known === undefined || id === known.mountId,
  );
  const ids = new Set(candidates.map(({ id }) => id));
  const [mine, ...others] = made.private
    ? // Who has stacked the same device on our private directory did it after us.
      candidates.filter(({ parent }) => !ids.has(parent))
    : candidates;
  if (mine === undefined || !(made.private || (await isMarked(host, made))))
    return { entries, mine: undefined };
  if (others.length === 0) return { entries, mine };
  throw new RefusedError(
    `${made.device} is mounted on ${made.path} more than once (mounts ${[...ids].join(', ')}): cannot tell which is ours`,
    { remedy: `unmount ${made.path} yourself, then bofh recover` },
  );
}

function candidatesOf(entries: readonly MountEntry[], made: Undo): readonly MountEntry[] {
  return mountsAt(entries, made.path).filter(({ device, root }) => device === made.number && root === '/');
}

async function isMarked(host: ReadHost, { path, mark }: Undo): Promise<boolean> {
  const entries = await userEntries(host);
  return entries.some((entry) => entry.path === path && entry.options.includes(markOption(mark)));
}

async function look(host: ReadHost, made: Undo, known: Result | undefined): Promise<Look> {
  const { entries, mine } = await survey(host, made, known);
  if (mine !== undefined) return { state: 'ours', holders: mountsOn(entries, mine).map(carried) };
  const there = mountsAt(entries, made.path).at(-1);
  if (there !== undefined) return { state: 'not-ours', found: `${describe(there)} is not our mount` };
  const left = made.private && (await host.stat(made.path)) !== undefined;
  return { state: left ? 'ours' : 'gone' };
}

function carried(entry: MountEntry): Holder {
  return { ...describeMount(entry), words: describe(entry) };
}

/** An exit code of 0 is not believed: the new mount must be in the kernel's table, with the device, and marked. */
async function confirm(host: ChangeHost, wanted: Undo, before: ReadonlySet<number>): Promise<MountEntry> {
  const isNew = ({ id }: MountEntry): boolean => !before.has(id);
  const entries = await mountEntries(host);
  const [made, ...others] = mountsAt(entries, wanted.path).filter(isNew);
  const found = made !== undefined && others.length === 0 && candidatesOf(entries, wanted).includes(made);
  if (found && (wanted.private || (await isMarked(host, wanted)))) return made;
  // The undo would not know it again, so it is taken back here, where we know that it is ours.
  if (made !== undefined && others.length === 0) await unmount(host, made);
  const { tool, argv } = mountCommand({ ...wanted, mode: 'ro' });
  const what = 'reported success, but the mount is not there, or not with our mark';
  throw new CommandError({ tool, argv, reason: 'unknown', what });
}

async function freeDirectory(host: ReadHost, path: string): Promise<string> {
  const real = await realPath(host, path);
  const there = mountsAt(await mountEntries(host), real).at(-1);
  if (there === undefined) return emptyDirectory(host, real);
  throw new RefusedError(`${path} is in use: ${describe(there)}`, {
    remedy: 'unmount it, or choose another place',
  });
}
