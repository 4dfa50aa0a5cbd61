import { tagIn } from '../../../blockdevice/tag.ts';
import type { Device } from '../../world/devices.ts';
import { headerInFile } from '../../world/header-file.ts';
import { one, type Options, readOptions, unmodelled } from '../../options.ts';
import type { Superblock } from '../../world/parts.ts';
import { firstPart } from '../../world/drbd.ts';
import { taggedDevices, tagsOf } from '../../world/tags.ts';
import type { World } from '../../world/world.ts';
import { ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from './device-at.ts';
import { tableIn } from './sectors.ts';

/** blkid (util-linux 2.38): the content of a device, and the devices with a tag. */
export const blkidTools: Readonly<Record<string, ToolModel>> = { blkid };

function blkid(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['-p'], values: ['-c', '-o', '-s', '-t', '--size'] });
  const { flags, words, values } = options;
  const [path = '', ...more] = words;
  if (values.has('-t')) return tagged(call, options);
  const format = values.get('-o')?.join();
  const size = one(options, '--size');
  if (flags.has('-p') && format === 'value' && values.get('-s')?.join() === 'LABEL' && more.length === 0) {
    const { label } = contentOf(call.world, path, size) ?? {};
    return label === undefined ? { exitCode: 2, stdout: '', stderr: '' } : ok(`${label}\n`);
  }
  if (values.has('-c') || !flags.has('-p') || format !== 'export')
    throw unmodelled(
      call,
      'it answers `blkid -p -o export DEVICE …` and `blkid -p -o value -s LABEL DEVICE`',
    );
  const records: string[] = [];
  for (const each of words) {
    const found = probedAt(call.world, each, size);
    // blkid gives the same answer for no content and for no device, and stops there.
    if (found === undefined) return { exitCode: 2, stdout: records.join('\n'), stderr: '' };
    records.push(found);
  }
  return ok(records.join('\n'));
}

function probedAt(world: World, path: string, size: string | undefined): string | undefined {
  const superblock = contentOf(world, path, size);
  const device = deviceAt(world, path);
  const table = device === undefined ? undefined : tableIn(world.live.get(device.storage), device.size);
  if (table !== undefined) return `DEVNAME=${path}\nPTUUID=${table.id}\nPTTYPE=${table.type}\n`;
  return superblock === undefined ? undefined : exported(path, superblock);
}

/**
 * Lists every device with a tag, reading each one now. A record has neither USAGE nor VERSION,
 * which a cache does not keep.
 */
function tagged(call: ToolCall, options: Options): ReturnType<ToolModel> {
  const { world } = call;
  const tag = tagIn(one(options, '-t') ?? '');
  const isKnown = one(options, '-c') === '/dev/null' && one(options, '-o') === 'export';
  if (tag === undefined || !isKnown || options.flags.size > 0 || options.words.length > 0)
    throw unmodelled(call, 'it answers `blkid -c /dev/null -o export -t NAME=value`');
  // For devices that the plan has written to, the model answers instead of the real host.
  const real = (world.overlay?.tagged.get(`${tag.name}=${tag.value}`) ?? []).filter(({ path }) => {
    const device = deviceAt(world, path);
    return device !== undefined && !world.live.has(device.storage);
  });
  const records = [
    ...real.map(({ path, type, uuid, member }) =>
      fieldsOf([
        ['DEVNAME', path],
        ['UUID', uuid],
        ['UUID_SUB', member],
        ['TYPE', type],
      ]),
    ),
    ...taggedDevices(world, tag).map((device) => recordOf(world, device)),
  ];
  return records.length === 0 ? { exitCode: 2, stdout: '', stderr: '' } : ok(records.join('\n'));
}

function recordOf(world: World, device: Device): string {
  const { superblock, btrfs } = world.live.get(device.storage) ?? {};
  const { type, blockSize, member } = superblock ?? {};
  const first = btrfs?.members?.find(({ storage }) => storage === device.storage);
  return fieldsOf([
    ['DEVNAME', `/dev/${device.name}`],
    ...[...tagsOf(world, device)].filter(([tag]) => !tag.startsWith('PART')),
    ['UUID_SUB', member?.uuid ?? first?.uuid],
    ['BLOCK_SIZE', blockSize],
    ['TYPE', type],
    ...[...tagsOf(world, device)].filter(([tag]) => tag.startsWith('PART')),
  ]);
}

function exported(path: string, { type, usage, uuid, label, version, blockSize }: Superblock): string {
  return fieldsOf([
    ['DEVNAME', path],
    ['LABEL', label],
    ['UUID', uuid],
    ['VERSION', version],
    ['BLOCK_SIZE', blockSize],
    ['TYPE', type],
    ['USAGE', usage],
  ]);
}

function fieldsOf(fields: readonly (readonly [string, string | number | undefined])[]): string {
  return fields
    .flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${key === 'DEVNAME' ? value : escaped(String(value))}\n`],
    )
    .join('');
}

/**
 * safe_print() of blkid.c: a byte above 0x7f becomes `M-x`, and a backslash precedes each character
 * that is special in a shell.
 */
function escaped(value: string): string {
  return [...Buffer.from(value)]
    .map((byte) => {
      const low = byte & 0x7f;
      const isControl = low < 0x20 || low === 0x7f;
      const char = String.fromCharCode(isControl ? low ^ 0x40 : low);
      const own = isControl ? '^' : / |["'$`<>\\]/.test(char) ? '\\' : '';
      return `${byte > 0x7f ? 'M-' : ''}${own}${char}`;
    })
    .join('');
}

function contentOf(world: World, path: string, size?: string): Superblock | undefined {
  const device = deviceAt(world, path);
  if (device !== undefined) return firstPart(world, device.storage, Number(size ?? Infinity))?.superblock;
  const header = headerInFile(world, path);
  return header !== undefined && 'torn' in header ? header.torn : header?.superblock;
}
