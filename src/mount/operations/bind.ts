import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { mountEntries, numberAt } from '../../blockdevice/index.ts';
import { inShell, kindInWords, type ReadHost, refuseExposed, shellWords } from '../../command/index.ts';
import { ParseError, RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { mountedRecovery } from '../manual-recovery.ts';
import { bindMount } from '../commands.ts';
import { mountOptions, wordsOf } from '../options.ts';
import { chooseDirectory, isOf, lookForMount, makeMount, takeAway } from '../step-mount.ts';
import { realPath } from '../paths.ts';
import { markOption, mountOver, mountsAt } from '../table.ts';
import { isWithin } from '../../blockdevice/path.ts';

const args = z.strictObject({
  /** An existing directory; mounts below it are not included. */
  source: z.string(),
  /**
   * An existing empty directory (default: a new private one below /run/bofh/mnt, which the undo and
   * a later unmount remove).
   */
  path: z.exactOptional(z.string()),
  /** Options as for `mount -o`: a list, or names with values. */
  options: z.exactOptional(mountOptions),
  /** `ro`: mounted read-only. */
  mode: z.enum(['ro', 'rw']),
});

const undo = z.strictObject({
  path: z.string(),
  private: z.boolean(),
  /** The directory, by canonical path. */
  device: z.string(),
  /** `major:minor` of its filesystem, from the mount table. */
  number: z.string(),
  /** Its path within that filesystem. */
  root: z.string(),
  mark: z.string(),
  /** Mount point and device, if any, of that filesystem. */
  over: z.string(),
  on: z.exactOptional(z.string()),
  /** Restrictions of that mount, which the new mount gets too unless requested otherwise. */
  inherits: z.readonly(z.array(z.string())),
});

/**
 * `tx.mount.bind`: mounts a directory at another path too, read-only if requested. The tag is that
 * of `tx.mount.mount`. The filesystem itself does not change, so the step only needs its mount and
 * its device, and does not claim them.
 */
export const bind = operation({
  kind: 'mount.bind',
  version: 1,
  args,
  undo,
  result: z.strictObject({ mountId: z.int() }),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { source, path }, mark, host }) => {
    const from = await directoryOf(host, source);
    const where = await chooseDirectory(host, path, mark);
    if (isWithin(where.path, from.device))
      throw new RefusedError(`${where.path} is inside ${from.device}: the directory would contain itself`, {
        remedy: `choose a mount point outside of ${from.device}`,
      });
    return { ...where, ...from, mark };
  },
  claims: async ({ undo: { path, over, on: device }, on }) => {
    const keys = device === undefined ? undefined : await on(device);
    const needs = keys === undefined ? [] : [keys.key, ...keys.beneath];
    return { changes: [`mnt:${path}`], needs: [`mnt:${over}`, ...needs] };
  },
  run: async ({ args: { mode, options }, undo: wanted, host }) => {
    const { path, device, mark } = wanted;
    const words = [...inherited(wanted.inherits, wordsOf(options)), markOption(mark)];
    const command = bindMount({ source: device, path, mode, options: words });
    const made = await makeMount(host, wanted, () => host.run(command));
    const isReadOnly = [...made.options.split(','), ...made.superOptions.split(',')].includes('ro');
    if (mode === 'rw' && isReadOnly)
      throw new RefusedError(`${device} is mounted read-only, so its bind mount is read-only too`, {
        remedy: `bind it read-only: ${option('--read-only', "mode: 'ro'")}; or make the source writable: mount -o remount,rw ${wanted.over}`,
      });
    if (mode === 'ro' && !isReadOnly)
      throw new RefusedError(`${device} could not be bind-mounted read-only on ${path}`, {
        remedy: `see how it is mounted: findmnt ${inShell(path)}`,
      });
    return { mountId: made.id };
  },
  // Never binds again: others may have mounted the filesystem of the source. If the bind mount is missing, the error
  // keeps the step in the journal.
  again: async ({ undo: { path, device, root }, host }) => {
    const entries = await mountEntries(host);
    const [there, from] = [mountsAt(entries, path).at(-1), mountOver(entries, device)];
    // A reboot may have changed the number of the filesystem.
    if (there?.root === root && there.device === from?.device) return undefined;
    throw new RefusedError(`${device} is not mounted on ${path} any more`, {
      remedy: `mkdir --parents ${shellWords([path])}; mount --bind ${shellWords([device, path])}`,
    });
  },
  value: ({ undo: { path } }) => ({ path }),
  look: ({ undo: made, result: known, host }) => lookForMount(host, made, known),
  revert: ({ undo: made, result: known, host }) => takeAway(host, made, known),
  describe: mountedRecovery,
});

/** Returns a directory as the kernel sees it: a filesystem, and a path in it. */
async function directoryOf(host: ReadHost, source: string) {
  const device = await realPath(host, source);
  await refuseExposed(host, device, 'there');
  const stat = await host.stat(device);
  if (stat?.kind !== 'directory')
    throw new RefusedError(`${source} is not a directory but ${kindInWords(stat)}`, {
      remedy: 'name a directory',
    });
  const over = mountOver(await mountEntries(host), device);
  if (over === undefined) throw new ParseError(`cannot tell what ${device} is mounted on`);
  const node = over.source.startsWith('/') ? await numberAt(host, over.source) : undefined;
  const isOn = node !== undefined && (await isOf(host, over, node));
  return {
    device,
    number: over.device,
    root: posix.join(over.root, posix.relative(over.path, device)),
    over: over.path,
    inherits: over.options.split(',').filter((word) => !['ro', 'rw'].includes(word)),
    ...(isOn ? { on: over.source } : {}),
  };
}

const opposites = [
  /^(?:no)?dev$/,
  /^(?:no)?suid$/,
  /^(?:no)?exec$/,
  /^(?:no|rel|strict)?atime$/,
  /^(?:no)?diratime$/,
];

// Returns the flags to add. libmount 2.38 binds, and then sets the given flags: if nodev is not one
// of them, the nodev of the source is lost.
function inherited(flags: readonly string[], asked: readonly string[]): readonly string[] {
  const kept = flags.filter(
    (flag) => !opposites.some((pair) => pair.test(flag) && asked.some((word) => pair.test(word))),
  );
  return [...kept, ...asked.filter((word) => !kept.includes(word))];
}
