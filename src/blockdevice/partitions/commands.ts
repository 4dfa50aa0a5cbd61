import type { ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../errors.ts';
import type { Bytes } from '../../units.ts';
import { classifyDevice } from '../commands.ts';
import { sfdiskSchema } from './schema.ts';

/** An entry of a partition table. */
export interface Partition {
  readonly number: number;
  /** `/dev/vda1`; whether the kernel has such a device is another matter. */
  readonly path: string;
  readonly start: Bytes;
  readonly size: Bytes;
  /** Of gpt a GUID in capitals; of dos a number in hexadecimal digits. */
  readonly type: string;
  /** Of gpt, in lower case, as udev's links have it. */
  readonly uuid: string | null;
  /** Of gpt. */
  readonly name: string | null;
  /** Of dos: the flag `bootable`. */
  readonly bootable: boolean;
  /** Of gpt, as sfdisk writes them. */
  readonly attributes: string | null;
}

/** A partition table, as it is written on a device. */
export interface PartitionTable {
  /** `gpt`, `dos`, or another one that sfdisk knows. */
  readonly type: string;
  /** Of gpt a UUID in lower case, of dos `0x` and eight digits. */
  readonly id: string;
  readonly sectorSize: Bytes;
  /** What gpt has for partitions, from its first byte to the one after its last; null: it does not say. */
  readonly usable: { readonly from: Bytes; readonly to: Bytes } | null;
  readonly partitions: readonly Partition[];
}

/** The table on a device. Of one without a table sfdisk exits 1, as for every other failure. */
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

/** The kernel, and so sfdisk, puts a `p` before the number where the disk's own name ends in a digit. */
function numberOf(device: string, node: string): number {
  const rest = node.startsWith(device) ? node.slice(device.length) : '';
  const number = /^(?:p|-part)?(?<number>\d+)$/.exec(rest)?.groups?.number;
  if (number === undefined) throw new ParseError(`${node} is no partition of ${device}`);
  return Number(number);
}
