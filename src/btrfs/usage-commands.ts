import type { ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classify } from './commands.ts';
import type { DeviceShare, SpaceOf, Usage } from './schema.ts';
import { digits, notRead } from './text.ts';

/** `btrfs filesystem usage`, in bytes. Without root it omits the devices. */
export function filesystemUsage(path: string): ReadCommand<Usage> {
  return {
    tool: 'btrfs',
    argv: ['filesystem', 'usage', '--raw', path],
    access: 'read',
    parse: ({ stdout }) => parseUsage(stdout),
    classify,
  };
}

const overall = /^ {4}(?<label>[A-Z][^:]*):\s+(?<value>[\d.]+|no|yes)(?:\s+\((?<note>[^()]*)\))?$/;
const space = /^(?<kind>\w+),(?<profile>\w+): Size:(?<size>\d+), Used:(?<used>\d+) \(\d+\.\d\d%\)$/;
const share = /^ {3}(?<device>.+?)\t *(?<bytes>\d+)$/;

function parseUsage(stdout: string): Usage {
  const [head = '', ...sections] = stdout.replace(/\n$/, '').split('\n\n');
  const [title, ...lines] = head.split('\n');
  if (title !== 'Overall:') throw new ParseError('btrfs: the usage has an unknown first line');
  const said = new Map<string, { value: string; note: string | undefined }>();
  for (const line of lines) {
    const { label, value, note } = overall.exec(line)?.groups ?? {};
    if (label === undefined || value === undefined) throw notRead(line);
    said.set(label, { value, note });
  }
  const bytes = (label: string): number => digits(said.get(label)?.value, label);
  const atLeast = /^min: (?<bytes>\d+)$/.exec(said.get('Free (estimated)')?.note ?? '')?.groups?.bytes;
  const read = sections.map(section);
  return {
    size: bytes('Device size'),
    allocated: bytes('Device allocated'),
    unallocated: bytes('Device unallocated'),
    missing: bytes('Device missing'),
    used: bytes('Used'),
    free: bytes('Free (estimated)'),
    freeAtLeast: digits(atLeast, 'the least that is free'),
    spaces: read.flatMap((one) => ('kind' in one ? [one] : [])),
    unallocatedOn: read.flatMap((one) => ('kind' in one ? [] : one.devices)),
  };
}

function section(text: string): SpaceOf | { readonly devices: readonly DeviceShare[] } {
  const [title = '', ...lines] = text.split('\n');
  const devices = lines.map((line) => {
    const { device, bytes } = share.exec(line)?.groups ?? {};
    if (device === undefined) throw notRead(line);
    return { device, bytes: digits(bytes, 'a share') };
  });
  if (title === 'Unallocated:') return { devices };
  const { kind, profile, size, used } = space.exec(title)?.groups ?? {};
  if (kind === undefined || profile === undefined) throw notRead(title);
  return { kind, profile, size: digits(size, 'a size'), used: digits(used, 'what is used'), devices };
}
