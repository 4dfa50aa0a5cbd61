import { posix } from 'node:path';
import * as z from 'zod/mini';
import { follow, inShell, kindInWords, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import { sha256 } from '../file/index.ts';
import { checkLvName, checkVgName } from '../lvm/index.ts';
import { checkGuestName } from './names.ts';
import { checkText } from '../core/checks.ts';

const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/));
/** The name of a disk file: neither a path nor an option, and not hidden. */
const fileName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,250}\.zst(?:\.age)?$/));
const bytes = z.int().check(z.positive());
const text = z.string().check(z.minLength(1), z.maxLength(255));

const diskSchema = z.strictObject({
  /** As in the configuration: `xvda`. */
  vdev: z.string().check(z.regex(/^[A-Za-z0-9]{1,16}$/)),
  vg: text,
  volume: text,
  /** Its thin pool; null for a linear volume. */
  pool: z.nullable(text),
  size: bytes,
  /** The content that blkid found on the disk; null if it is blank, or its volume was not active. */
  content: z.nullable(z.strictObject({ type: text, uuid: z.nullable(text), label: z.nullable(z.string()) })),
  /** SHA-256 of the content. */
  sha256: hash,
  compression: z.literal('zstd'),
  /** Missing: the file is not encrypted. */
  encryption: z.exactOptional(z.literal('age')),
  /** The DRBD resource that replicated the disk. Missing: it was not replicated. */
  replica: z.exactOptional(text),
  file: z.strictObject({ name: fileName, size: bytes, sha256: hash }),
});

const format = 1;

const bodySchema = z.strictObject({
  /** The format; any other is refused. */
  format: z.literal(format),
  /** The version of bofh. */
  bofh: text,
  guest: text,
  /** When the backup began. */
  time: z.iso.datetime(),
  state: z.enum(['running', 'paused', 'off']),
  /** Whether its filesystems were frozen. Missing: written by a bofh that could not freeze them. */
  frozen: z.exactOptional(z.boolean()),
  config: z.strictObject({
    mode: z.int().check(z.minimum(0), z.maximum(0o777)),
    content: z.string().check(z.maxLength(1024 ** 2)),
  }),
  disks: z.array(diskSchema).check(z.minLength(1), z.maxLength(64)),
});

/** The content of a backup. */
export type Manifest = z.infer<typeof bodySchema>;
export type SavedDisk = Manifest['disks'][number];

/** A backup: its manifest. The files of its disks are in the same directory. */
export interface Backup extends Manifest {
  /** Absolute path of the manifest. */
  readonly path: string;
  readonly directory: string;
}

/** A larger file is not a manifest. */
const largest = 4 * 1024 ** 2;

/** The text of a manifest. Its last key is the SHA-256 of all others. */
export function manifestText(of: Omit<Manifest, 'format' | 'bofh'>): string {
  const body: Manifest = { format, bofh: version, ...of };
  return `${JSON.stringify({ ...body, sha256: sha256(JSON.stringify(body)) }, undefined, 1)}\n`;
}

/**
 * `web1.20261124T155337Z`, in UTC: alphabetical order is chronological order. The name of the guest may
 * contain dots, the time does not.
 */
export function backupName(guest: string, at: Date): string {
  return `${guest}.${at.toISOString().replaceAll(/[-:]|\.\d+(?=Z)/g, '')}`;
}

/** Whether a file has the name of a manifest. */
export function isManifestName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9.-]*\.\d{8}T\d{6}Z\.json$/.test(name);
}

/**
 * Reads a manifest, which is not trusted: others may have written it. Throws RefusedError if it is not a
 * valid manifest, or if other users can replace the file.
 */
export async function readBackup(host: ReadHost, file: string): Promise<Backup> {
  checkText('the manifest', file);
  const { path, stat } = await follow(host, file);
  if (stat === undefined)
    throw new UsageError(`there is no file ${file}`, {
      code: 'not-found',
      remedy: `bofh vm list-backups ${posix.dirname(file)}`,
    });
  if (stat.kind === 'directory')
    throw new UsageError(`${file} is a directory: name the manifest of a backup`, {
      remedy: `bofh vm list-backups ${inShell(file)}`,
    });
  if (stat.kind !== 'file' || stat.size > largest)
    throw noManifest(file, `it is not a regular file, or too large`);
  await refuseExposed(host, path, 'there');
  const manifest = parsed(file, await host.readFile(path));
  return { ...manifest, path, directory: posix.dirname(path) };
}

function parsed(file: string, content: Uint8Array): Manifest {
  let given: unknown;
  try {
    given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (error) {
    throw noManifest(file, error instanceof Error ? error.message : String(error), error);
  }
  const { sha256: sum, ...body } = Object(given) as Readonly<Record<string, unknown>>;
  if (typeof body['format'] === 'number' && body['format'] !== format)
    throw new RefusedError(
      `${file} has the format ${body['format']}, and this bofh (${version}) knows only ${format}`,
      { remedy: `use the bofh that wrote it: version ${String(body['bofh'])}` },
    );
  const result = bodySchema.safeParse(body);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw noManifest(file, [...(issue?.path ?? []).map(String), issue?.message].join(': '));
  }
  if (sum !== sha256(JSON.stringify(body)))
    throw new RefusedError(`${file} is damaged: its checksum is wrong`, {
      remedy: `use another backup: bofh vm list-backups ${posix.dirname(file)}`,
    });
  const { guest, disks } = result.data;
  checkGuestName(guest);
  for (const { vg, volume, pool } of disks) {
    checkVgName(vg);
    checkLvName(vg, volume);
    if (pool !== null) checkLvName(vg, pool);
  }
  for (const key of [(disk: SavedDisk) => disk.vdev, (disk: SavedDisk) => disk.file.name])
    if (new Set(disks.map(key)).size < disks.length) throw noManifest(file, 'it names a disk twice');
  return result.data;
}

function noManifest(file: string, why: string, cause?: unknown): RefusedError {
  return new RefusedError(`${file} is not a manifest of a backup: ${why}`, {
    cause,
    remedy: `see those that can be read: bofh vm list-backups ${posix.dirname(file)}`,
  });
}

/**
 * Returns why the file of a disk is incomplete: it is missing, not a regular file, or has another size. Does
 * not read the content.
 */
export async function whyIncomplete(
  host: ReadHost,
  directory: string,
  { file: { name, size } }: SavedDisk,
): Promise<string | undefined> {
  const path = posix.join(directory, name);
  const stat = await host.stat(path);
  if (stat === undefined) return `there is no file ${path}`;
  if (stat.kind !== 'file') return `${path} is ${kindInWords(stat)}`;
  return stat.size === size ? undefined : `${path} has ${stat.size} bytes instead of ${size}`;
}
