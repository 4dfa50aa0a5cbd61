import { posix } from 'node:path';
import type { Answer, Command, ReadCommand } from '../command/index.ts';
import { nameOf, nothing, shownName } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { Bytes } from '../core/units.ts';
import {
  groupsSchema,
  losetupSchema,
  memberSchema,
  type Signature,
  signatureSchema,
  volumesSchema,
} from './schema.ts';

/**
 * `blkid -p`: probes the device itself, never blkid's cache. Undefined: nothing recognised. blkid
 * reports the same (exit code 2) for a device that is missing, empty (0 bytes) or unreadable, so
 * exclude these first.
 *
 * @param size - Look only at this many bytes, from the first one (default: the whole device).
 */
export function blkidProbe(device: string, size?: Bytes): ReadCommand<Signature | undefined> {
  return {
    tool: 'blkid',
    argv: ['-p', ...firstBytes(size), '-o', 'export', device],
    access: 'read',
    accepts: [0, 2, 8],
    parse: parseBlkid,
    classify: classifyDevice,
  };
}

/** Makes blkid look only at the first bytes of a device. */
function firstBytes(size: Bytes | undefined): readonly string[] {
  return size === undefined ? [] : ['--size', String(size)];
}

/**
 * Reads the label itself. In every other output format blkid writes a byte above 0x7f as `M-x` and
 * a control character as `^x`, but does not escape an `M-` or a `^` in the label, so these are
 * ambiguous.
 */
export function blkidLabel(device: string, size?: Bytes): ReadCommand<string | undefined> {
  return {
    tool: 'blkid',
    argv: ['-p', ...firstBytes(size), '-o', 'value', '-s', 'LABEL', device],
    access: 'read',
    accepts: [0, 2],
    encoding: 'latin1',
    parse: ({ exitCode, stdout, stderr }) => {
      if (stderr !== '' || (stdout !== '' && !stdout.endsWith('\n')))
        throw new ParseError(`blkid: cannot read the label of ${device}: ${stderr.trim() || 'cut off'}`);
      if (exitCode === 2 || stdout === '') return undefined;
      return shownName(nameOf(Buffer.from(stdout.slice(0, -1), 'latin1'))).replaceAll(
        /[\0-\x1f\x7f]/g,
        (char) => `^${String.fromCharCode(char.charCodeAt(0) ^ 0x40)}`,
      );
    },
    classify: classifyDevice,
  };
}

/**
 * Drops the kernel's cache of a device, so that the next read is from the device itself: blkid,
 * wipefs and debugfs cannot read with O_DIRECT. It changes nothing (posix_fadvise(2),
 * POSIX_FADV_DONTNEED) and keeps unwritten data.
 */
export function dropCache(device: string): ReadCommand<void> {
  return {
    tool: 'dd',
    argv: ['iflag=nocache', 'count=0', 'status=none', `if=${device}`],
    access: 'read',
    parse: nothing,
    classify: classifyDevice,
  };
}

/** A tag of fstab(5) that names a device. */
export interface Tag {
  readonly name: 'UUID' | 'LABEL' | 'PARTUUID' | 'PARTLABEL' | 'ID';
  readonly value: string;
}

/** A device with a tag. */
export interface Tagged {
  readonly path: string;
  readonly type?: string;
  readonly uuid?: string;
  /** The uuid of this one device of a filesystem on several devices (`UUID_SUB`). */
  readonly member?: string;
}

/**
 * Lists every device with a tag, probed now and not from blkid's cache (blkid(8): `-c /dev/null`).
 * A user who may read no device gets an empty list.
 */
export function blkidTagged({ name, value }: Tag): ReadCommand<readonly Tagged[]> {
  return {
    tool: 'blkid',
    // In quotes, because libblkid removes quotes at the start of a value (blkid_parse_tag_string).
    argv: ['-c', '/dev/null', '-o', 'export', '-t', `${name}="${value}"`],
    access: 'read',
    accepts: [0, 2],
    parse: parseTagged,
  };
}

/**
 * Checks that the start of a device can be read. blkid and wipefs report a device with only I/O
 * errors as blank (test/fixtures/blkid/io-error@2.38.1.json). debugfs opens it read-only and has
 * different messages for a device without a filesystem ("Bad magic number"), a damaged ext4 and I/O
 * errors ("Input/output error"); it always exits with 0. Call this only for a device that blkid reports as blank.
 * Without -c, which ignores damage of a superblock: here the error shows what is damaged.
 */
export function readsAsBlank(device: string): ReadCommand<void> {
  return {
    tool: 'debugfs',
    argv: ['-R', 'quit', device],
    access: 'read',
    parse: ({ stderr }) => {
      if (/^debugfs: Bad magic number in super-block while trying to open /m.test(stderr)) return;
      throw new ParseError(
        `blkid finds nothing on ${device}, but debugfs reports: ${stderr.trim().split('\n').at(-1) ?? ''}`,
      );
    },
    classify: classifyDevice,
  };
}

/** A volume group, by its uuid without hyphens. */
export interface KnownGroup {
  readonly uuid: string;
  readonly name: string;
  /** Whether the group is exported: lvm then does not show its content. */
  readonly exported: boolean;
}

/** Lists every volume group that lvm knows. */
export function knownGroups(): ReadCommand<readonly KnownGroup[]> {
  return {
    tool: 'vgs',
    argv: ['--reportformat', 'json', '--options', 'vg_uuid,vg_name,vg_exported'],
    access: 'read',
    parse: ({ stdout }) =>
      groupsSchema.parse(JSON.parse(stdout)).report.flatMap(({ vg }) =>
        vg.map((row) => ({
          uuid: row.vg_uuid.replaceAll('-', ''),
          name: row.vg_name,
          exported: row.vg_exported === 'exported',
        })),
      ),
  };
}

/**
 * Returns the volume group of each physical volume, by the uuid of the physical volume; empty: it
 * has none.
 */
export function groupsOfPvs(): ReadCommand<ReadonlyMap<string, string>> {
  return {
    tool: 'pvs',
    argv: ['--reportformat', 'json', '--options', 'pv_uuid,vg_name'],
    access: 'read',
    parse: ({ stdout }) =>
      new Map(
        memberSchema
          .parse(JSON.parse(stdout))
          .report.flatMap(({ pv }) => pv.map((row) => [row.pv_uuid, row.vg_name] as const)),
      ),
  };
}

/**
 * Lists the uuids of every logical volume that lvm knows, active or not; lvm omits those of
 * exported groups (2.03.16).
 */
export function knownVolumes(): ReadCommand<readonly string[]> {
  return {
    tool: 'lvs',
    argv: ['--reportformat', 'json', '--all', '--options', 'vg_uuid,lv_uuid'],
    access: 'read',
    parse: ({ stdout }) =>
      volumesSchema
        .parse(JSON.parse(stdout))
        .report.flatMap(({ lv }) => lv.map((row) => `LVM-${row.vg_uuid}${row.lv_uuid}`.replaceAll('-', ''))),
  };
}

/**
 * Returns the inode behind a loop device as `MAJ:MIN:INODE`, from the kernel, even if the file was
 * deleted. Undefined if the device is being detached, or if only root may read it.
 */
export function loopBacking(device: string): ReadCommand<string | undefined> {
  return {
    tool: 'losetup',
    argv: ['--json', '--list', '--output', 'NAME,BACK-INO,BACK-MAJ:MIN', device],
    access: 'read',
    // The number changes at each attach, detach and exchange of the file (disk_force_media_change
    // in loop.c).
    sameWhile: `/sys/block/${posix.basename(device)}/diskseq`,
    parse: ({ stdout }) => {
      const [loop, ...more] = losetupSchema.parse(JSON.parse(stdout)).loopdevices;
      if (loop?.name !== device || more.length > 0)
        throw new ParseError(`expected exactly one row, for ${device}`);
      const { 'back-ino': inode, 'back-maj:min': filesystem } = loop;
      if (inode === null && filesystem === null) return undefined;
      if (inode === null || filesystem === null)
        throw new ParseError(`losetup shows only one of back-ino and back-maj:min for ${device}`);
      return `${filesystem.trim()}:${inode}`;
    },
    classify: classifyDevice,
  };
}

/**
 * Erases the magic of every signature on a device. Never with `-f`, so that the kernel refuses a
 * device in use.
 */
export function wipeSignatures(device: string): Command<void, 'destroy'> {
  return {
    tool: 'wipefs',
    argv: ['--all', device],
    access: 'destroy',
    repeatable: true,
    parse: nothing,
    classify: classifyDevice,
  };
}

/**
 * Finds why a util-linux or e2fsprogs program failed on a device, from its message in the C locale.
 */
export function classifyDevice({ stderr, stdout }: Answer): Reason {
  const said = stderr + stdout;
  if (/No such (?:file or directory|device)|does not exist|Can't lookup blockdev/i.test(said))
    return 'not-found';
  if (/Device or resource busy|is mounted|apparently in use|in use by the system/i.test(said)) return 'busy';
  if (/Permission denied|Operation not permitted/i.test(said)) return 'denied';
  if (/No space left/i.test(said)) return 'no-space';
  return 'unknown';
}

const exportLine = /^(?<key>[A-Z0-9_]+)=(?<value>.*)$/;

function parseBlkid({ exitCode, stdout, stderr }: Answer): Signature | undefined {
  if (exitCode === 8) return { type: 'ambivalent', usage: 'ambivalent' };
  // If blkid finds nothing it prints nothing; a message explains why it could not probe
  // ("Permission denied").
  if (exitCode === 2 && (stdout !== '' || stderr !== ''))
    throw new ParseError(`blkid: ${stderr.trim() || stdout}`);
  if (exitCode === 2) return undefined;
  return toSignature(valuesIn(stdout.trimEnd()));
}

/** Parses a record for each device, with an empty line between them. */
function parseTagged({ exitCode, stdout, stderr }: Answer): readonly Tagged[] {
  if (stderr !== '' || (exitCode === 2) !== (stdout === ''))
    throw new ParseError(`blkid: ${stderr.trim() || stdout || 'no output'}`);
  if (exitCode === 2) return [];
  if (!stdout.endsWith('\n')) throw new ParseError('blkid: its output is cut off');
  const found = stdout
    .slice(0, -1)
    .split('\n\n')
    .map((record) => {
      const values = valuesIn(record);
      const path = values.get('DEVNAME');
      if (path?.startsWith('/') !== true) throw new ParseError('blkid found a device but does not name it');
      return {
        path,
        ...present({ type: values.get('TYPE'), uuid: values.get('UUID'), member: values.get('UUID_SUB') }),
      };
    });
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Returns the values in a record of `blkid -o export`. */
export function valuesIn(record: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of record.split('\n')) {
    const { key, value } = exportLine.exec(line)?.groups ?? {};
    if (key === undefined || value === undefined || values.has(key)) {
      throw new ParseError(`blkid: cannot read the line ${JSON.stringify(line)}`);
    }
    // blkid does not escape this value.
    values.set(key, key === 'DEVNAME' ? value : value.replace(/\\(.)/g, '$1'));
  }
  return values;
}

/** Returns the signature in the values of a record; undefined: a blank partition. */
export function toSignature(values: ReadonlyMap<string, string>): Signature | undefined {
  const [type, ptType] = [values.get('TYPE'), values.get('PTTYPE')];
  if (type === undefined && ptType === undefined) {
    // A blank partition: blkid reports only its entry in the table.
    if ([...values.keys()].every((key) => key === 'DEVNAME' || key.startsWith('PART_ENTRY_')))
      return undefined;
    throw new ParseError('blkid found something but names no type');
  }
  return signatureSchema.parse({
    type: type ?? ptType,
    usage: type === undefined ? 'partition-table' : values.get('USAGE'),
    ...present({
      uuid: values.get(type === undefined ? 'PTUUID' : 'UUID'),
      label: values.get('LABEL'),
      ptType: type === undefined ? undefined : ptType,
    }),
  });
}
