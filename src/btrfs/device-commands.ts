import { type Command, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyMaintenance } from './maintenance-commands.ts';
import type { Device } from './schema.ts';
import { digits, printedPath } from './text.ts';

/**
 * `btrfs filesystem show` of a mounted btrfs: its devices, as the kernel knows them. A missing one
 * has neither path nor size (6.2: "size 0 used 0 path  MISSING"). A device being removed has size 0
 * until the end.
 */
export function filesystemDevices(path: string): ReadCommand<readonly Device[]> {
  return {
    tool: 'btrfs',
    argv: ['filesystem', 'show', '--raw', path],
    access: 'read',
    encoding: 'latin1',
    parse: ({ stdout }) => parseDevices(stdout),
    classify: classifyMaintenance,
  };
}

// The label may contain anything but a newline; the list of devices begins after the line with
// their number.
const head = /^Label: .*  uuid: [0-9a-f-]{36}\n\tTotal devices (?<all>\d+) FS bytes used \d+\n/;
const line =
  /^\tdevid +(?<devid>\d+) size (?<size>\d+) used (?<used>\d+) path (?<path>.*?)(?<missing> MISSING)?$/;

function parseDevices(stdout: string): readonly Device[] {
  const { 0: begin = '', groups } = head.exec(stdout) ?? {};
  if (groups === undefined || !stdout.endsWith('\n\n'))
    throw new ParseError('btrfs: the list of devices has an unknown first or last line');
  const found = stdout.slice(begin.length, -2).split('\n').map(deviceIn);
  // The number of devices includes the target of a replacement, with devid 0 (Linux 6.18).
  if (found.length !== digits(groups.all, 'how many devices there are'))
    throw new ParseError(`btrfs: it lists ${found.length} devices, but reports ${groups.all ?? ''}`);
  return found;
}

function deviceIn(text: string): Device {
  const { devid, size, used, path = '', missing } = line.exec(text)?.groups ?? {};
  if (devid === undefined) throw new ParseError(`btrfs: cannot read the device ${JSON.stringify(text)}`);
  return {
    devid: digits(devid, 'the number of a device'),
    size: digits(size, 'the size of a device'),
    allocated: digits(used, 'what is allocated on a device'),
    path: missing === undefined ? printedPath(path).shown : undefined,
  };
}

/**
 * `btrfs device add`. Discards the whole device, and refuses one with any known content: bofh never
 * passes `-f`. The kernel chooses devid and UUID, and commits (fs/btrfs/volumes.c,
 * btrfs_init_new_device).
 */
export function deviceAdd(of: { readonly device: string; readonly path: string }): Command<void, 'destroy'> {
  return { ...change(['device', 'add', of.device, of.path]), access: 'destroy' };
}

/**
 * `btrfs device remove`: moves the data of a device to the others, and wipes its superblocks. The
 * kernel finds the device by its superblock, not by its name. A signal, or `btrfs device remove
 * cancel`, stops it midway: the device stays, and moved data may stay where it is (Linux 6.18:
 * "chunk relocation canceled during operation", in 0.2 s).
 */
export function deviceRemove(of: {
  readonly device: string;
  readonly path: string;
}): Command<void, 'change'> {
  return { ...change(['device', 'remove', of.device, of.path]), stop: 'safe' };
}

function change(argv: readonly string[]): Command<void, 'change'> {
  return { tool: 'btrfs', argv, access: 'change', parse: nothing, classify: classifyMaintenance };
}

/**
 * `btrfs replace start`, until its end. The target must be blank and at least as large as the
 * filesystem's part of the old device. The target gets the devid and UUID of the old device, and
 * the kernel wipes the superblocks of the old one. A kill does not stop the replacement (Linux
 * 6.18: SIGTERM waits for the end), and after a power cut the kernel continues at the next mount.
 */
export function replaceStart(of: {
  readonly devid: number;
  readonly target: string;
  readonly path: string;
}): Command<void, 'destroy'> {
  return {
    ...change(['replace', 'start', '-B', String(of.devid), of.target, of.path]),
    access: 'destroy',
  };
}

/**
 * `btrfs replace status` without `-1`: waits for the end, and reports progress each second. A
 * signal stops only the waiting.
 */
export function replaceWait(path: string): Command<void, 'change'> {
  return {
    ...change(['replace', 'status', path]),
    stop: 'safe',
    progress: (output) => {
      const percent = [...output.matchAll(/(?<percent>\d{1,3}\.\d)% done,/g)].at(-1)?.groups?.percent;
      return percent === undefined ? undefined : Number(percent) / 100;
    },
  };
}
