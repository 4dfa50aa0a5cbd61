import { type Command, nothing, type ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import { classifyDevice } from '../commands.ts';
import { type Attachment, loopColumns, type LoopDevice, type LoopFile, loopListSchema } from './schema.ts';

/**
 * Lists every loop device with a backing file. Never `--list DEVICE`, which prints a row for a
 * detached one too. The inode comes from the kernel by an ioctl, which only root may call.
 *
 * @param lost - How to treat a device whose node in /dev is missing, so that its inode is unknown: in a
 * container, those of the host. A plan and a list can leave it out. A step cannot, because its own
 * device may have lost its node.
 */
export function attachedLoops(
  lost: 'an error' | 'left out' = 'an error',
): ReadCommand<readonly LoopDevice[]> {
  return {
    tool: 'losetup',
    argv: ['--json', '--list', '--output', loopColumns.join(',')],
    access: 'read',
    parse: ({ stdout }) =>
      loopListSchema
        .parse(JSON.parse(stdout))
        .loopdevices.filter((row) => lost === 'an error' || !isLost(row))
        .flatMap(toLoop),
    classify: classifyDevice,
  };
}

/** Lists the attached loop devices for users other than root, who cannot read the inode. */
export function loopFiles(): ReadCommand<readonly LoopFile[]> {
  return {
    ...attachedLoops(),
    parse: ({ stdout }) =>
      loopListSchema.parse(JSON.parse(stdout)).loopdevices.flatMap((row) => {
        const { name, 'back-file': file, 'back-ino': inode, 'back-maj:min': filesystem } = row;
        if (file === null) return [];
        const device = deviceOf(name);
        if (inode === null || filesystem === null) return [{ device, file }];
        return [{ device, file, inode: String(inode), filesystem: filesystem.trim() }];
      }),
  };
}

/**
 * Attaches a file at a free number; fails as `busy` if the number is in use. Creates the node if it
 * is missing.
 */
export function attach(make: Attachment): Command<void, 'change'> {
  return {
    tool: 'losetup',
    argv: [
      ...(make.mode === 'ro' ? ['--read-only'] : []),
      ...(make.partitions === 'scanned' ? ['--partscan'] : []),
      ...(make.offset === 0 ? [] : ['--offset', String(make.offset)]),
      ...(make.limit === 0 ? [] : ['--sizelimit', String(make.limit)]),
      ...(make.sectorSize === 512 ? [] : ['--sector-size', String(make.sectorSize)]),
      ...(make.direct ? ['--direct-io=on'] : []),
      `/dev/loop${make.number}`,
      make.file,
    ],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}

/**
 * Detaches a loop device. For a busy one losetup only sets `autoclear`, which no program can reset,
 * and exits with 0: check, and wait.
 */
export function detach(device: string): Command<void, 'change'> {
  return {
    tool: 'losetup',
    argv: ['--detach', device],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}

type Row = ReturnType<typeof loopListSchema.parse>['loopdevices'][number];

const isLost = (row: Row): boolean => row.name.endsWith(' (lost)') && row['back-ino'] === null;
const deviceOf = (name: string): string => name.replace(/ \(lost\)$/, '');

function toLoop(row: Row): readonly LoopDevice[] {
  const { name, offset, sizelimit, 'back-file': file, 'back-ino': inode, 'back-maj:min': filesystem } = row;
  if (file === null && inode === null && filesystem === null) return [];
  const device = deviceOf(name);
  if (file === null || inode === null || filesystem === null || offset === null || sizelimit === null)
    throw new ParseError(`${device}: its backing file is unknown (only root can read the inode)`);
  return [
    {
      device,
      number: Number(device.slice('/dev/loop'.length)),
      file,
      inode: String(inode),
      filesystem: filesystem.trim(),
      offset,
      limit: sizelimit,
      mode: row.ro ? 'ro' : 'rw',
      partitions: row.partscan ? 'scanned' : 'ignored',
      sectorSize: row['log-sec'],
      direct: row.dio,
      autoclear: row.autoclear,
    },
  ];
}
