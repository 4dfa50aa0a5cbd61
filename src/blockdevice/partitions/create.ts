import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { refuseStream } from '../content/stream.ts';
import { refuseUnseen } from '../content/unseen.ts';
import { contentInWords } from '../content/words.ts';
import { holders } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import { deviceNode, kernelText, sizeOf } from '../node.ts';
import { probe, recognise } from '../probe.ts';
import type { Signature } from '../schema.ts';
import { magicsOn } from '../wipe/commands.ts';
import { namesOf } from '../wipe/contents.ts';
import { findChange, isUntouched, lookAt, tableChange, undoOf } from './change.ts';
import { refusePartless } from './disk.ts';
import { createTable } from './commands.ts';
import { kernelPartitions } from './kernel.ts';
import { restoreRegions } from './regions.ts';
import { refusePartitioned } from './reads.ts';
import { randomUuid } from '../../core/random.ts';

const args = z.strictObject({
  /** The whole disk, which must be blank: `/dev/sdb`. */
  device: z.string().check(z.minLength(1)),
  /** Type of the table (default: gpt). */
  type: z.exactOptional(z.enum(['gpt', 'dos'])),
  /** For gpt a UUID in lower case, for dos `0x` and eight digits (default: chosen by bofh). */
  id: z.exactOptional(z.string()),
});

const forms = {
  gpt: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  dos: /^0x[0-9a-f]{8}$/,
} as const;

const smallest = 4 * 1024 ** 2;

/**
 * Writes an empty partition table on a blank disk. The undo restores every byte that the step has
 * written.
 */
export const createPartitionTable = operation({
  ...tableChange,
  kind: 'block.partition.table.create',
  args,
  prepare: async ({ args: { device, type = 'gpt', id }, host, chosen }) => {
    if (id !== undefined && !forms[type].test(id))
      throw new UsageError(
        `"${id}" cannot be the id of a ${type} table: give ${type === 'gpt' ? 'a UUID in lower case' : '0x and eight digits'}`,
      );
    const node = await deviceNode(host, device);
    await refusePartless(host, node);
    await refuseHeld(host, device, await holders(host, device));
    const found = await (chosen === undefined ? recognise : probe)(host, device);
    if (found !== undefined) throw await notBlank(host, { device, path: node.path, found });
    if (chosen !== undefined) {
      await refuseStream(host, device);
      await refuseUnseen(host, device, 'written');
    }
    if ((await kernelPartitions(host, node)).length > 0)
      throw new RefusedError(
        `${device} has no partition table, but the kernel still knows partitions of it`,
        {
          remedy: `remove them from the kernel: partx --delete ${device}`,
        },
      );
    const size = await sizeOf(host, node);
    if (size < smallest)
      throw new RefusedError(`${device} has ${formatSize(size)}: too small for a partition table`, {
        code: 'invalid',
        remedy: `use a disk of at least ${formatSize(smallest)}`,
      });
    const sectorSize = Number(
      (await kernelText(host, `/sys/dev/block/${node.number}/queue/logical_block_size`)) ?? 512,
    );
    const newId = type === 'gpt' ? randomUuid() : `0x${randomUuid().slice(0, 8)}`;
    const table = { type, id: chosen?.table.id ?? id ?? newId, sectorSize, usable: null, partitions: [] };
    return undoOf(host, { device, old: null, table, number: null });
  },
  claims: async ({ undo: { device, table }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`table:${table.id}`], changes: [key], needs: beneath };
  },
  run: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (!isUntouched(found))
      throw new RefusedError(`${of.device} has changed; nothing was written`, {
        remedy: `see what it holds: wipefs ${of.device}; then run the command again`,
      });
    const { path } = found.node;
    await refuseHeld(host, path, await holders(host, path));
    const { id, type } = of.table;
    await host.run(createTable(path, { type: type === 'dos' ? 'dos' : 'gpt', id }));
    return null;
  },
  value: ({ undo: { device, table } }) => ({ device, type: table.type, id: table.id }),
  look: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (found === undefined) return { state: 'gone' };
    return lookAt(host, of, { found, hurt: () => holders(host, found.node.path) });
  },
  revert: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (found === undefined || found.table === 'unrelated') return;
    const { path } = found.node;
    await refuseHeld(host, path, await holders(host, path));
    await restoreRegions(host, path, of.saved);
  },
});

async function notBlank(
  host: ReadHost,
  of: { readonly device: string; readonly path: string; readonly found: Signature },
): Promise<RefusedError> {
  const { device, path, found } = of;
  const what = found.usage === 'ambivalent' ? contentInWords(found) : found.type;
  const uuid = found.uuid === undefined ? '' : `, uuid ${found.uuid}`;
  await refusePartitioned(host, { device, found });
  const names = [...namesOf(found, await host.run(magicsOn(path))).keys()];
  const all = names.length === 0 ? [found.uuid ?? found.type] : names;
  return new RefusedError(`${device} is not blank: it holds ${what}${uuid}`, {
    code: 'has-data',
    remedy: `to erase it: bofh block wipe ${device} --overwrite ${all.join(',')}`,
  });
}
