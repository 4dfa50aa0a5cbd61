import { type Answer, type Command, nothing, type ReadCommand } from '../../command/index.ts';
import { ParseError, type Reason } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { classifyDevice } from '../commands.ts';
import { type Partition, type PartitionTable, sfdiskSchema } from './schema.ts';

export type { Partition, PartitionTable } from './schema.ts';

/** Reads the table on a device. Without a table sfdisk exits with 1, as for every other failure. */
export function readTable(device: string): ReadCommand<PartitionTable | undefined> {
  return {
    tool: 'sfdisk',
    argv: ['--json', device],
    access: 'read',
    accepts: [0, 1],
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 0) return toTable(sfdiskSchema.parse(JSON.parse(stdout)).partitiontable);
      if (stdout === '' && stderr === `sfdisk: ${device}: does not contain a recognized partition table\n`)
        return undefined;
      throw new ParseError(`sfdisk: ${stderr.trim() || 'exit 1'}`);
    },
    classify: classifyDevice,
  };
}

type Read = ReturnType<typeof sfdiskSchema.parse>['partitiontable'];

function toTable({
  label,
  id,
  device,
  firstlba,
  lastlba,
  sectorsize,
  partitions = [],
}: Read): PartitionTable {
  const usable =
    firstlba === undefined || lastlba === undefined
      ? null
      : { from: firstlba * sectorsize, to: (lastlba + 1) * sectorsize };
  return {
    type: label,
    id: id.toLowerCase(),
    sectorSize: sectorsize,
    usable,
    partitions: partitions.map(({ node, start, size, type, uuid, name, attrs, bootable }) => ({
      number: numberOf(device, node),
      path: node,
      start: start * sectorsize,
      size: size * sectorsize,
      type,
      uuid: uuid?.toLowerCase() ?? null,
      name: name ?? null,
      bootable: bootable ?? false,
      attributes: attrs ?? null,
    })),
  };
}

/**
 * Returns the number of a partition from its path. The kernel, and so sfdisk, puts a `p` before the
 * number if the name of the disk ends in a digit.
 */
function numberOf(device: string, node: string): number {
  const rest = node.startsWith(device) ? node.slice(device.length) : '';
  const number = /^(?:p|-part)?(?<number>\d+)$/.exec(rest)?.groups?.number;
  if (number === undefined) throw new ParseError(`${node} is not a partition of ${device}`);
  return Number(number);
}

// Only writes the table: partx updates the kernel, one partition at a time, which also works while
// others are in use. Wipes nothing.
const write = ['--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'never', '--wipe-partitions', 'never'];

/** Writes an empty table. */
export function createTable(
  device: string,
  { type, id }: { readonly type: 'gpt' | 'dos'; readonly id: string },
): Command<void> {
  return sfdisk([...write, device], `label: ${type}\nlabel-id: ${id}\n`);
}

/** Adds an entry, with the lowest free number. */
export function appendPartition(
  device: string,
  sectorSize: Bytes,
  { start, size, type, uuid, name }: Partition,
): Command<void> {
  const words = [
    ...[`start=${start / sectorSize}`, `size=${size / sectorSize}`, `type=${type}`],
    ...(uuid === null ? [] : [`uuid=${uuid}`]),
    ...(name === null ? [] : [`name="${name}"`]),
  ];
  return sfdisk([...write, '--append', device], `${words.join(', ')}\n`);
}

/** Changes only the size of an entry. */
export function setPartitionSize(
  device: string,
  sectorSize: Bytes,
  { number, size }: Pick<Partition, 'number' | 'size'>,
): Command<void> {
  return sfdisk([...write, '--partno', String(number), device], `size=${size / sectorSize}\n`);
}

/** Deletes an entry. */
export function deletePartition(device: string, number: number): Command<void> {
  return sfdisk([...write, '--delete', device, String(number)], '');
}

function sfdisk(argv: readonly string[], stdin: string): Command<void> {
  return { tool: 'sfdisk', argv, access: 'change', stdin, parse: nothing, classify: classifyDevice };
}

/** Adds a new partition of the table to the kernel, or updates its size there. */
export function tellKernel(device: string, number: number): Command<void> {
  return partx(['--update', '--nr', String(number), device]);
}

/**
 * Removes a partition from the kernel, which refuses one in use; exits with 0 if there is none with
 * that number (2.38).
 */
export function forgetPartition(device: string, number: number): Command<void> {
  return { ...partx(['--delete', '--nr', String(number), device]), repeatable: true };
}

function partx(argv: readonly string[]): Command<void> {
  const classify = (answer: Answer): Reason =>
    /error deleting partition/.test(answer.stderr) ? 'busy' : classifyDevice(answer);
  return { tool: 'partx', argv, access: 'change', parse: nothing, classify };
}
