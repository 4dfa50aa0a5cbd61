import { openers } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from './device-at.ts';
import { type Table, type TableEntry, tableIn, withTable } from './sectors.ts';
import { present } from '../../../core/present.ts';

/** sfdisk and partx (util-linux 2.38). */
export const partitionTools: Readonly<Record<string, ToolModel>> = { partx, sfdisk };

function sfdisk(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--json', '--quiet', '--no-reread', '--no-tell-kernel', '--append', '--delete'],
    values: ['--wipe', '--wipe-partitions', '--partno'],
  });
  const [path = '', deleted, ...more] = options.words;
  if (more.length > 0 || options.flags.has('--delete') !== (deleted !== undefined))
    throw unmodelled(call, 'it takes one device');
  const device = deviceAt(call.world, path);
  if (device === undefined) return failed(1, `sfdisk: cannot open ${path}: No such file or directory`);
  const content = call.world.live.get(device.storage) ?? {};
  const table = tableIn(content, device.size);
  if (options.flags.has('--json')) {
    if (table === undefined)
      return failed(1, `sfdisk: ${path}: does not contain a recognized partition table`);
    return ok(shown(table, path, device.size));
  }
  const isQuiet = ['--quiet', '--no-reread', '--no-tell-kernel'].every((flag) => options.flags.has(flag));
  if (!isQuiet || one(options, '--wipe') !== 'never' || call.stdin === undefined)
    throw unmodelled(call, 'it writes only the table');
  const number = one(options, '--partno');
  const isNew = number === undefined && deleted === undefined && !options.flags.has('--append');
  if (!isNew && table === undefined)
    return failed(1, `sfdisk: ${path}: does not contain a recognized partition table`);
  const old = isNew ? emptyTable(call) : (table ?? emptyTable(call));
  const left = old.partitions.filter((each) => each.number !== Number(deleted));
  const next = isNew
    ? old
    : deleted === undefined
      ? changed(call, old, number)
      : { ...old, partitions: left };
  // sfdisk syncs what it has written.
  for (const contents of [call.world.live, call.world.durable])
    contents.set(device.storage, withTable(contents.get(device.storage) ?? {}, device.size, next));
  return ok();
}

function emptyTable(call: ToolCall): Table {
  const { type, id } =
    /^label: (?<type>gpt|dos)\nlabel-id: (?<id>\S+)\n$/.exec(call.stdin ?? '')?.groups ?? {};
  if ((type !== 'gpt' && type !== 'dos') || id === undefined)
    throw unmodelled(call, 'it creates only a table with a given type and id');
  return { type, id, partitions: [] };
}

function changed(call: ToolCall, table: Table, number: string | undefined): Table {
  const words = new Map(
    (call.stdin ?? '')
      .trim()
      .split(', ')
      .map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1).replaceAll('"', '')]),
  );
  const size = Number(words.get('size'));
  if (number !== undefined) {
    const partitions = table.partitions.map((each) =>
      each.number === Number(number) ? { ...each, size } : each,
    );
    return { ...table, partitions };
  }
  const [uuid, name] = [words.get('uuid'), words.get('name')];
  const taken = table.partitions.map((each) => each.number);
  let free = 1;
  while (taken.includes(free)) free += 1;
  const entry: TableEntry = {
    ...{ number: free, start: Number(words.get('start')), size, type: words.get('type') ?? '' },
    ...present({ uuid, name }),
  };
  return { ...table, partitions: [...table.partitions, entry] };
}

function shown({ type, id, partitions }: Table, path: string, size: number): string {
  const p = /\d$/.test(path) ? 'p' : '';
  const rows = partitions
    .toSorted((one, other) => one.number - other.number)
    .map(({ number, uuid, ...rest }) => ({
      node: `${path}${p}${number}`,
      ...rest,
      ...(uuid === undefined ? {} : { uuid: uuid.toUpperCase() }),
    }));
  const room = type === 'gpt' ? { firstlba: 2048, lastlba: size / 512 - 34 } : {};
  const head = { label: type, id: type === 'gpt' ? id.toUpperCase() : id, device: path, unit: 'sectors' };
  const table = { ...head, ...room, sectorsize: 512, ...(rows.length === 0 ? {} : { partitions: rows }) };
  return `${JSON.stringify({ partitiontable: table }, undefined, 3)}\n`;
}

function partx(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { flags: ['--update', '--delete'], values: ['--nr'] });
  const [path = '', ...more] = options.words;
  const device = deviceAt(world, path);
  const number = Number(one(options, '--nr'));
  if (more.length > 0 || !Number.isInteger(number))
    throw unmodelled(call, 'it takes one partition of a device');
  if (device === undefined) return failed(1, `partx: stat of ${path} failed: No such file or directory`);
  const all = world.partitions.get(device.number) ?? [];
  const now = all.find((each) => each.number === number);
  const others = all.filter((each) => each !== now);
  if (options.flags.has('--delete')) {
    if (now === undefined) return ok();
    if (openers(world, now.node).length > 0)
      return failed(1, `partx: ${path}: error deleting partition ${number}`);
    world.partitions.set(device.number, others);
    return ok();
  }
  const table = tableIn(world.live.get(device.storage), device.size);
  if (table === undefined) return failed(1, `partx: ${path}: failed to read partition table`);
  const entry = table.partitions.find((each) => each.number === number);
  // partx reports nothing for a missing partition.
  if (entry === undefined) return ok();
  const known = { number, start: entry.start * 512, size: entry.size * 512 };
  const node = now?.node ?? nodeOf(device, number);
  world.partitions.set(device.number, [...others, { ...known, node, real: now?.real ?? false }]);
  return ok();
}

/** Returns the number of a partition: a virtio disk has sixteen minor numbers. */
export function nodeOf({ number: of }: { readonly number: string }, number: number): string {
  const [major = '', minor = ''] = of.split(':');
  return major === '7' ? `259:${Number(minor) * 128 + number}` : `${major}:${Number(minor) + number}`;
}
