import { classifyDevice } from '../../blockdevice/index.ts';
import { type Command, type ReadCommand, stderrAlone } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import type { Makeable } from '../types.ts';
import { classify as classifyBtrfs } from './btrfs.ts';
import { changing } from './label.ts';
import { classify as classifyXfs } from './xfs.ts';

/**
 * Sets another uuid of an unused filesystem or swap area, in the format of blkid. If it has that uuid
 * already, the tool changes nothing or writes it again. xfs_db exits with 0 even on failure: check afterwards.
 * btrfstune rewrites all trees; `-f` answers its only question, whether the filesystem may be
 * unmountable meanwhile (6.2).
 */
export function setUuid(of: {
  readonly type: Makeable;
  readonly device: string;
  readonly uuid: string;
}): Command<void, 'change'> {
  const { type, device, uuid } = of;
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return changing('tune2fs', ['-U', uuid, device], classifyDevice);
    case 'xfs':
      // xfs_admin is a script whose shell would parse the path.
      return changing('xfs_db', ['-x', '-c', `uuid ${uuid}`, device], classifyXfs);
    case 'btrfs':
      return changing('btrfstune', ['-f', '-U', uuid, device], classifyBtrfs);
    case 'vfat':
      return changing('fatlabel', ['-i', device, uuid.replace('-', '')], classifyDevice);
    case 'swap':
      return changing('swaplabel', ['--uuid', uuid, device], classifyDevice);
  }
}

/**
 * Keeps the checksum seed of an ext4, so that its checksums stay valid under another uuid; or uses
 * the uuid as the seed again, which is quick while both agree. Both write only superblocks
 * (tune2fs(8), 1.47).
 */
export function keepSeed(device: string, way: 'keep' | 'drop'): Command<void, 'change'> {
  const feature = way === 'keep' ? 'metadata_csum_seed' : '^metadata_csum_seed';
  return changing('tune2fs', ['-O', feature, device], classifyDevice);
}

/** Discards the log of an xfs, whatever its content, and writes an empty one. */
export function dropLog(device: string): Command<void, 'destroy'> {
  return { ...changing('xfs_repair', ['-L', device], classifyXfs), access: 'destroy' };
}

/**
 * Whether all superblocks of an xfs have the uuid of the first ("warning: UUID in AG 1 differs to
 * the primary SB"), and whether an `xfs_repair` of it was interrupted (xfs_db 6.1).
 */
export function xfsState(
  device: string,
): ReadCommand<{ readonly agrees: boolean; readonly needsRepair: boolean }> {
  return {
    tool: 'xfs_db',
    argv: ['-r', '-c', 'version', '-c', 'uuid', device],
    access: 'read',
    parse: ({ stdout, stderr }) => {
      const text = stdout + stderr;
      const features = /^versionnum \[0x[0-9a-f]+\+0x[0-9a-f]+\] = (?<names>[A-Z0-9_,]+)$/m.exec(text)?.groups
        ?.names;
      if (features === undefined || !/^UUID = [0-9a-f-]{36}$/m.test(text))
        throw new ParseError(`no version and uuid in ${JSON.stringify(text)}`);
      return {
        agrees: !text.includes('differs to the primary SB'),
        needsRepair: features.split(',').includes('NEEDSREPAIR'),
      };
    },
    classify: classifyXfs,
  };
}

/**
 * Returns the log of an xfs: its offset on the device, and whether it has unwritten changes;
 * `unreadable` if it has no head.
 */
export function xfsLog(
  device: string,
): ReadCommand<{ readonly start: number; readonly state: 'clean' | 'dirty' } | 'unreadable'> {
  return {
    tool: 'xfs_logprint',
    argv: ['-t', device],
    access: 'read',
    accepts: [0, 1],
    // xfs_logprint prints a dirty log completely.
    timeoutMs: 600_000,
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 1 && /failed to find head and tail/.test(stdout + stderr)) return 'unreadable';
      const start = /^ *log device: .* daddr: (?<start>\d+) length: \d+$/m.exec(stdout)?.groups?.start;
      const state = /^ *log tail: \d+ head: \d+ state: <(?<state>CLEAN|DIRTY)>$/m.exec(stdout)?.groups?.state;
      if (exitCode !== 0 || start === undefined || state === undefined)
        throw new ParseError(`not the head of a log: ${JSON.stringify(stdout.slice(0, 500) + stderr)}`);
      return { start: Number(start) * 512, state: state === 'CLEAN' ? 'clean' : 'dirty' };
    },
    classify: classifyXfs,
  };
}

/**
 * Whether the log of an xfs has a valid beginning. xfs_db clears the log from its start, and writes
 * the beginning first (6.1).
 */
export function xfsLogBegins(device: string, start: number): ReadCommand<boolean> {
  return {
    tool: 'xfs_db',
    argv: ['-r', '-c', `daddr ${start / 512}`, '-c', 'type data', '-c', 'print', device],
    access: 'read',
    shownOf: stderrAlone,
    parse: ({ stdout }) => {
      const first = /^0+: (?<word>[0-9a-f]{8}) /.exec(stdout)?.groups?.word;
      if (first === undefined) throw new ParseError(`no sector in ${JSON.stringify(stdout.slice(0, 200))}`);
      return first === 'feedbabe';
    },
    classify: classifyXfs,
  };
}

/**
 * Whether a change of a btrfs uuid is running or was interrupted (BTRFS_SUPER_FLAG_CHANGING_FSID,
 * and its _V2).
 */
export function btrfsChanging(device: string): ReadCommand<boolean> {
  return {
    tool: 'btrfs',
    argv: ['inspect-internal', 'dump-super', device],
    access: 'read',
    parse: ({ stdout }) => {
      const flags = /^flags\t+0x(?<flags>[0-9a-f]+)$/m.exec(stdout)?.groups?.flags;
      if (flags === undefined) throw new ParseError('dump-super: there are no "flags"');
      return (BigInt(`0x${flags}`) & (3n << 35n)) !== 0n;
    },
    classify: classifyBtrfs,
  };
}
