import type { ReadHost } from '../command/index.ts';
import { fillOptions, readRoot, type UnpackedFile } from '../copy/index.ts';
import { type BofhError, CommandError, ParseError, RefusedError } from '../core/errors.ts';
import { parseFstab } from '../mount/tab/fstab.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import type { GuestConfig } from '../xen/index.ts';
import { type DataDisk, fstabLine, refuseHidden, withLines } from './data-disks.ts';
import { crypttabLine, oldCrypttab } from './disk-luks.ts';
import { fstabOfDisk, mountedTable, planTree } from './tree.ts';
import { present } from '../core/present.ts';
import { isWithin } from '../blockdevice/path.ts';

/** Where a guest that is off mounts one more disk: a line in its /etc/fstab. */
export interface FstabPlan {
  /** The root of the guest. */
  readonly device: string;
  readonly type: string;
  readonly filesystem: string;
  /** Absolute path in the guest. */
  readonly mount: string;
  /** The files as they were checked, one character per byte; empty if there is none. */
  readonly text: string;
  readonly crypttab: string;
}

/** Makes all checks before anything is done. RefusedError for a guest that runs, or whose root cannot be mounted here. */
export async function planFstab(
  host: ReadHost,
  { site, name, disk }: { readonly site: Site; readonly name: string; readonly disk: DataDisk },
): Promise<FstabPlan | undefined> {
  const { mount } = disk;
  if (mount === undefined) return undefined;
  const withoutFstab = 'create the disk without a mount point, and add the line in the guest';
  const { mounts, at, uuid } = await planTree(host, { site, name, withoutFstab });
  const [root] = mounts;
  if (root === undefined || at !== undefined)
    throw new RefusedError(`${name} is mounted on ${at ?? ''}`, {
      code: 'in-use',
      remedy: `bofh vm unmount ${name}; then run the command again`,
    });
  const directories = ['etc', mount.slice(1)];
  const files = ['etc/fstab', 'etc/crypttab'];
  const content = await readRoot(host, { device: root.device, directories, files });
  const { paths, texts } = content;
  const text = texts.get('etc/fstab') ?? '';
  const { lines } = parseFstab(text);
  const other = lines.find(
    ({ target }) =>
      target.startsWith('/') && target !== '/' && (isWithin(mount, target) || isWithin(target, mount)),
  );
  if (other !== undefined)
    throw new RefusedError(`/etc/fstab of ${name} mounts ${other.source} on ${other.target}`, {
      code: 'exists',
      remedy: 'mount the disk elsewhere; or create it without a mount point, and edit that file in the guest',
    });
  refuseHidden(paths, [disk], 'guest');
  const crypttab = oldCrypttab(content, [disk], name);
  if (uuid === undefined) throw withoutUuid(name, root.device);
  return { device: root.device, type: root.type, filesystem: uuid, mount, text, crypttab };
}

/** Adds the line to the /etc/fstab of the guest, for an encrypted disk also to its /etc/crypttab, and makes the directory. */
export async function addToFstab(
  tx: Tx,
  host: ReadHost,
  plan: FstabPlan & {
    readonly uuid: string;
    readonly fs: DataDisk['fs'];
    /** Its name in the guest, and the UUID of its LUKS header. */
    readonly luks: { readonly name: string; readonly uuid: string } | undefined;
  },
): Promise<void> {
  const { luks, text, crypttab, ...of } = plan;
  const line = fstabLine({ ...of, ...present({ luks: luks?.name }) });
  const tables: Table[] = [{ name: 'fstab', text, content: withLines(text, [line]) }];
  if (luks !== undefined)
    tables.push({ name: 'crypttab', text: crypttab, content: withLines(crypttab, [crypttabLine(luks)]) });
  await changeTables(tx, host, { ...of, tables, directory: plan.mount.slice(1) });
}

/** The change of one file in the root of a guest. */
interface Table {
  readonly name: 'fstab' | 'crypttab';
  /** The file as it was checked. */
  readonly text: string;
  readonly content: string;
}

interface TableChange extends Pick<FstabPlan, 'device' | 'type' | 'filesystem'> {
  readonly tables: readonly Table[];
}

/** The removal of a disk from the /etc/fstab and /etc/crypttab of a guest that is off. */
export interface FstabRemoval {
  /** The lines to remove, as they are. */
  readonly lines: readonly string[];
  readonly crypttab: readonly string[];
  /** Why it is unknown whether the files have a line for the disk; undefined: it is known. */
  readonly unknown: string | undefined;
  /** The change of the files; undefined if they stay as they are. */
  readonly change: TableChange | undefined;
}

/**
 * Finds the lines for a disk that is removed. Throws RefusedError for a guest that is mounted here. A file
 * that cannot be read does not stop the removal: a disk of a guest with a broken root can be removed too.
 */
export async function planFstabRemoval(
  host: ReadHost,
  of: { readonly guest: GuestConfig; readonly disk: string },
): Promise<FstabRemoval> {
  let found: Awaited<ReturnType<typeof fstabOfDisk>>;
  try {
    found = await fstabOfDisk(host, of);
  } catch (error) {
    if (!isAboutTheRoot(error)) throw error;
    return { lines: [], crypttab: [], unknown: error.message, change: undefined };
  }
  const { root, text, lines, crypttab, unknown } = found;
  const tables = [
    { name: 'fstab' as const, text, lines },
    { name: 'crypttab' as const, ...crypttab },
  ].filter((each) => each.lines.length > 0);
  if (tables.length === 0) return { lines: [], crypttab: [], unknown, change: undefined };
  const { device, type, uuid: filesystem } = root;
  if (filesystem === undefined) throw withoutUuid(of.guest.name, device);
  return {
    lines: asWritten(lines),
    crypttab: asWritten(crypttab.lines),
    unknown: undefined,
    change: {
      ...{ device, type, filesystem },
      tables: tables.map((each) => ({ ...each, content: without(each.text, each.lines) })),
    },
  };
}

function asWritten(lines: readonly { readonly bytes: string }[]): readonly string[] {
  return lines.map(({ bytes }) => Buffer.from(bytes, 'latin1').toString());
}

function without(text: string, lines: readonly { readonly number: number }[]): string {
  const gone = new Set(lines.map(({ number }) => number));
  return (text.match(/[^\n]*\n|[^\n]+/g) ?? []).filter((_, at) => !gone.has(at + 1)).join('');
}

/** False for an error that would stop the removal too: a lost connection, a missing program, an interruption. */
function isAboutTheRoot(error: unknown): error is BofhError {
  if (error instanceof CommandError) return error.reason !== 'killed';
  return (error instanceof RefusedError && error.code !== 'in-use') || error instanceof ParseError;
}

/** Removes the lines from the /etc/fstab and /etc/crypttab of the guest. */
export async function removeFromFstab(tx: Tx, host: ReadHost, { change }: FstabRemoval): Promise<void> {
  if (change !== undefined) await changeTables(tx, host, change);
}

function withoutUuid(name: string, device: string): RefusedError {
  return new RefusedError(`the root of ${name}, ${device}, has no UUID`, {
    remedy: `tune2fs -U random ${device}; then run the command again`,
  });
}

/** Mounts the root of the guest, and replaces these files; also makes a directory. */
async function changeTables(
  tx: Tx,
  host: ReadHost,
  { device, type, filesystem, tables, directory }: TableChange & { readonly directory?: string },
): Promise<void> {
  const mounted = await tx.temporary.mount.mount({ device, type, mode: 'rw', options: fillOptions });
  const files: UnpackedFile[] =
    directory === undefined ? [] : [{ path: directory, directory: true, mode: 0o755 }];
  for (const { name, text, content } of tables) {
    if ((await mountedTable(host, mounted.path, name)) !== text)
      throw new RefusedError(`the /etc/${name} of the guest was changed meanwhile`, {
        remedy: 'run the command again',
      });
    const { mode = 0o644 } = (await host.stat(`${mounted.path}/etc/${name}`)) ?? {};
    files.push({ path: `etc/${name}`, content, encoding: 'latin1', mode });
  }
  await tx.copy.files({ root: mounted.path, device, filesystem, files });
  await mounted.release();
}
