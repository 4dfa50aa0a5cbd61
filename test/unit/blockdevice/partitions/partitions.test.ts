import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { bytesAt } from '../../../../src/blockdevice/bytes-at.ts';
import { kernelPartitions } from '../../../../src/blockdevice/partitions/kernel.ts';
import {
  appendPartition,
  createTable,
  forgetPartition,
  setPartitionSize,
  tellKernel,
} from '../../../../src/blockdevice/partitions/commands.ts';
import { freeRooms, mostOf, placeFor } from '../../../../src/blockdevice/partitions/layout.ts';
import type { PartitionTable } from '../../../../src/blockdevice/partitions/schema.ts';
import { typeIn } from '../../../../src/blockdevice/partitions/types.ts';
import { deviceNode, probe } from '../../../../src/blockdevice/index.ts';
import * as answers from '../../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError, StuckError, UsageError } from '../../../../src/core/errors.ts';
import type { Tx } from '../../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { tableIn } from '../../../../src/simulator/tools/blockdevice/sectors.ts';
import { rejectionOf } from '../../../support/rejection.ts';
import { partitionedDisk } from '../../../support/undo/specimens/block.ts';
import { ownUuid } from '../../../support/undo/stage.ts';
import { typed } from '../../plan/support.ts';
import { bofhOn } from '../../simulator/support.ts';

const mebibyte = 1024 ** 2;
const device = '/dev/vdx';
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdx', size: 64 * mebibyte }] });
});

const does = <T>(body: (tx: Tx) => Promise<T>): Promise<T> =>
  withBofh(bofhOn(host), () => atomic('partitions', body));
const kernel = async () => kernelPartitions(host, await deviceNode(host, device));
const refused = async (body: (tx: Tx) => Promise<unknown>, why: RegExp): Promise<void> => {
  const before = host.snapshot();
  const error = await rejectionOf(does(body));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toMatch(why);
  expect(host.snapshot()).toBe(before);
};
const fails = async (): Promise<never> => Promise.reject(new Error('a later step fails'));

describe('the commands', () => {
  const only = [
    '--quiet',
    '--no-reread',
    '--no-tell-kernel',
    '--wipe',
    'never',
    '--wipe-partitions',
    'never',
  ];
  const entry = {
    ...{ number: 1, path: '/dev/x1', start: mebibyte, size: 2 * mebibyte, type: '83' },
    ...{ uuid: null, name: null, bootable: false, attributes: null },
  };

  test('write only the table, in sectors', () => {
    expect(createTable('/dev/x', { type: 'dos', id: '0x00000001' })).toMatchObject({
      argv: [...only, '/dev/x'],
      stdin: 'label: dos\nlabel-id: 0x00000001\n',
    });
    expect(appendPartition('/dev/x', 512, entry)).toMatchObject({
      argv: [...only, '--append', '/dev/x'],
      stdin: 'start=2048, size=4096, type=83\n',
    });
    expect(appendPartition('/dev/x', 4096, { ...entry, uuid: ownUuid, name: 'a b' })).toMatchObject({
      stdin: `start=256, size=512, type=83, uuid=${ownUuid}, name="a b"\n`,
    });
    expect(setPartitionSize('/dev/x', 512, entry)).toMatchObject({
      argv: [...only, '--partno', '1', '/dev/x'],
      stdin: 'size=4096\n',
    });
  });

  test('tell the kernel of one partition', () => {
    expect(tellKernel('/dev/x', 3).argv).toEqual(['--update', '--nr', '3', '/dev/x']);
    const { argv, classify } = forgetPartition('/dev/x', 3);
    expect(argv).toEqual(['--delete', '--nr', '3', '/dev/x']);
    const stderr = 'partx: /dev/x: error deleting partition 3\n';
    expect(classify?.({ exitCode: 1, stdout: '', stderr })).toBe('busy');
  });
});

describe('where a partition goes', () => {
  const at = (number: number, start: number, size: number) => ({
    ...{ number, path: '', start: start * mebibyte, size: size * mebibyte, type: '83' },
    ...{ uuid: null, name: null, bootable: false, attributes: null },
  });
  const table = (type: string, ...partitions: PartitionTable['partitions']): PartitionTable => ({
    ...{ type, id: '', sectorSize: 512, usable: null, partitions },
  });

  test('goes into the first gap that is large enough; max into the largest', () => {
    const of = table('gpt', at(1, 1, 8), at(2, 20, 10));
    expect(freeRooms(of, 64 * mebibyte).map(({ from, to }) => [from / mebibyte, to / mebibyte])).toEqual([
      [9, 20],
      [30, 63],
    ]);
    const place = (size: number | 'max') => placeFor(of, { device, room: 64 * mebibyte, size });
    expect(place(11 * mebibyte).start).toBe(9 * mebibyte);
    expect(place(10 * mebibyte + 1)).toEqual({ start: 9 * mebibyte, size: 11 * mebibyte });
    expect(place('max')).toEqual({ start: 30 * mebibyte, size: 33 * mebibyte });
    expect(() => place(34 * mebibyte)).toThrow(/no space for a partition of 34 MiB.*33 MiB/);
    expect(mostOf(of, 1, 64 * mebibyte)).toBe(19 * mebibyte);
    expect(mostOf(of, 2, 64 * mebibyte)).toBe(43 * mebibyte);
  });

  test('leaves no room for a backup table in dos, and limits sectors to 32 bits', () => {
    expect(freeRooms(table('dos'), 64 * mebibyte)).toEqual([{ from: mebibyte, to: 64 * mebibyte }]);
    expect(freeRooms(table('dos'), 4 * 1024 ** 4)[0]?.to).toBe(2 * 1024 ** 4);
  });

  test('accepts a name or a GUID as a type, and a number for dos', () => {
    expect(typeIn('gpt', 'lvm')).toBe('E6D6D379-F507-44C2-A23C-238F2A3DF928');
    expect(typeIn('dos', 'lvm')).toBe('8e');
    expect(typeIn('gpt', ownUuid)).toBe(ownUuid.toUpperCase());
    expect([typeIn('dos', '0x07'), typeIn('dos', '7')]).toEqual(['7', '7']);
    for (const [of, text] of [
      ['gpt', '83'],
      ['dos', 'bios-boot'],
      ['dos', '5'],
      ['dos', '0'],
      ['gpt', 'constructor'],
    ] as const)
      expect(() => typeIn(of, text)).toThrow(UsageError);
  });
});

describe('a partition table', () => {
  test.each(['gpt', 'dos'] as const)(
    'of %s is created, filled and grown, and everything is undone',
    async (type) => {
      const before = host.snapshot();
      const seen: unknown[] = [];
      const error = await rejectionOf(
        does(async (tx) => {
          await tx.block.createPartitionTable({ device, type });
          const { path } = await tx.block.addPartition({ device, size: 8 * mebibyte });
          await tx.filesystem.create({ device: path, type: 'ext4' });
          await tx.block.growPartition({ device, number: 1, size: 'max' });
          seen.push(await kernel());
          await fails();
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      const size = (type === 'gpt' ? 62 : 63) * mebibyte;
      expect(seen).toEqual([[{ number: 1, start: mebibyte, size }]]);
      expect(host.snapshot()).toBe(before);
    },
  );

  test('is refused on content, on a volume, and on a partition', async () => {
    partitionedDisk(host, 'gpt');
    await refused(
      (tx) => tx.block.createPartitionTable({ device }),
      /has a partition table \(gpt, with the partition/,
    );
    await refused((tx) => tx.block.createPartitionTable({ device: '/dev/vdx1' }), /is itself a partition/);
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 4 });
    await refused(
      (tx) => tx.block.createPartitionTable({ device: '/dev/vg0/a' }),
      /is a device-mapper device/,
    );
  });

  test('is refused with a remedy that names all content, also what blkid cannot decide', async () => {
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: ownUuid });
    const run: SimulatedHost['run'] = async (command) =>
      command.tool === 'blkid' ? command.parse({ exitCode: 8, stdout: '', stderr: '' }) : host.run(command);

    const error = await rejectionOf(
      withBofh(bofhOn({ ...host, run }), () =>
        atomic('partitions', (tx) => tx.block.createPartitionTable({ device })),
      ),
    );

    expect(error).toMatchObject({
      message: `${device} is not blank: it holds several signatures, and blkid cannot tell which one counts`,
      remedy: `to erase it: bofh block wipe ${device} --overwrite ${ownUuid}`,
    });
  });

  test('that others changed since is left untouched', async () => {
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.createPartitionTable({ device });
        partitionedDisk(host, 'gpt');
        await fails();
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(await probe(host, device)).toMatchObject({ type: 'gpt', uuid: ownUuid });
    expect((await kernel()).length).toBe(1);
  });

  test.each(['gpt', 'dos'] as const)(
    'of %s that others replaced by other content is left untouched',
    async (type) => {
      const disk = 'disk:vdx';
      const superblock = { type: 'xfs', usage: 'filesystem', uuid: ownUuid } as const;
      const error = await rejectionOf(
        does(async (tx) => {
          await tx.block.createPartitionTable({ device, type });
          const { sectors = new Map<number, Uint8Array>() } = host.world.live.get(disk) ?? {};
          host.admin.format(device, superblock);
          // Not every program erases the second copy at the end.
          const atEnd = new Map([...sectors].filter(([index]) => index > 2048));
          host.world.live.set(disk, { ...host.world.live.get(disk), sectors: atEnd });
          await fails();
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      expect(await probe(host, device)).toMatchObject(superblock);
    },
  );
});

describe('a partition', () => {
  test('in use is not removed by the undo', async () => {
    partitionedDisk(host, 'gpt');
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.addPartition({ device, size: 'max' });
        host.admin.swapon('/dev/vdx2');
        await fails();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((await kernel()).length).toBe(2);
  });

  test('can be used while a second one is created, and is undone', async () => {
    const before = host.snapshot();
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.createPartitionTable({ device });
        const { path } = await tx.block.addPartition({ device, size: 8 * mebibyte });
        await tx.block.addPartition({ device, size: 8 * mebibyte });
        await tx.filesystem.create({ device: path, type: 'ext4' });
        await tx.block.growPartition({ device, number: 2, size: 'max' });
        await fails();
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(/a later step fails/);
    expect(host.snapshot()).toBe(before);
  });

  test.each(['gpt', 'dos'] as const)(
    'is undone without the boot code that others wrote to the %s disk',
    async (type) => {
      partitionedDisk(host, type);
      host.admin.writeBytes(device, 0, new Uint8Array(440).fill(0x90));
      const before = host.snapshot();
      const bootCode = Buffer.alloc(440, 0xeb);
      const error = await rejectionOf(
        does(async (tx) => {
          await tx.block.growPartition({ device, number: 1, size: 24 * mebibyte });
          await tx.block.addPartition({ device, size: 8 * mebibyte });
          // As grub-install does.
          host.admin.writeBytes(device, 0, bootCode);
          await fails();
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      expect(host.snapshot()).toBe(before);
      const { buffer } = await host.run(bytesAt(device, { from: 0, count: 512 }));
      expect(Buffer.from(buffer, 0, 440)).toEqual(bootCode);
    },
  );

  test.each(['add', 'grow'] as const)('of others stays when an %s is undone', async (verb) => {
    partitionedDisk(host, 'gpt');
    const type = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
    await rejectionOf(
      does(async (tx) => {
        if (verb === 'add') await tx.block.addPartition({ device, size: 8 * mebibyte });
        else await tx.block.growPartition({ device, number: 1, size: 24 * mebibyte });
        const table = tableIn(host.world.live.get('disk:vdx'), 64 * mebibyte);
        const theirs = { number: 7, start: 102400, size: 2048, type };
        if (table !== undefined)
          host.admin.partition(device, { ...table, partitions: [...table.partitions, theirs] });
        await fails();
      }),
    );
    expect(await kernel()).toEqual([
      { number: 1, start: mebibyte, size: 16 * mebibyte },
      { number: 7, start: 50 * mebibyte, size: mebibyte },
    ]);
    expect(tableIn(host.world.live.get('disk:vdx'), 64 * mebibyte)?.partitions.length).toBe(2);
  });

  test('does not shrink again below a filesystem that was grown', async () => {
    partitionedDisk(host, 'dos');
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.growPartition({ device, number: 1, size: 'max' });
        host.admin.format('/dev/vdx1', { type: 'ext4', usage: 'filesystem', uuid: ownUuid, blockSize: 4096 });
        await fails();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((await kernel())[0]?.size).toBe(63 * mebibyte);
  });

  test('is refused without a partition, space or table, or with other partitions in the kernel', async () => {
    await refused((tx) => tx.block.addPartition({ device, size: 'max' }), /has no partition table/);
    partitionedDisk(host, 'gpt');
    await refused((tx) => tx.block.addPartition({ device, size: 64 * mebibyte }), /no space/);
    await refused((tx) => tx.block.growPartition({ device, number: 2, size: 'max' }), /no partition 2/);
    await refused((tx) => tx.block.growPartition({ device, number: 1, size: mebibyte }), /only enlarge/);
    await refused(
      (tx) => tx.block.growPartition({ device, number: 1, size: 63 * mebibyte }),
      /at most 62 MiB/,
    );
    host.world.partitions.clear();
    host.world.revision += 1;
    await refused(
      (tx) => tx.block.addPartition({ device, size: 'max' }),
      /in the kernel differ from its partition table/,
    );
  });
});

describe('bofh block', () => {
  const json = async (...line: readonly string[]): Promise<unknown> =>
    JSON.parse((await typed(host, ['--json', 'block', ...line])).stdout);

  test('partitions shows the table, the partitions of the kernel, and free space', async () => {
    partitionedDisk(host, 'gpt');
    expect(answers.blockPartitions.parse(await json('partitions', device))).toMatchObject({
      ...{ device, type: 'gpt', id: ownUuid, stale: [] },
      partitions: [{ number: 1, path: '/dev/vdx1', start: mebibyte, size: 16 * mebibyte, kernel: 'same' }],
      free: [{ start: 17 * mebibyte, size: 46 * mebibyte }],
    });
    host.world.partitions.clear();
    host.world.revision += 1;
    expect((await typed(host, ['block', 'partitions', device])).stdout).toMatch(
      /\/dev\/vdx1 .* \(not in the kernel\)/,
    );
  });

  test('makes a table, adds and grows', async () => {
    expect(
      answers.blockPartitionTableCreate.parse(await json('partition-table', 'create', device)),
    ).toMatchObject({
      type: 'gpt',
    });
    expect(
      answers.blockPartitionAdd.parse(await json('partition', 'add', device, '8m', '--uuid', ownUuid)),
    ).toEqual({ number: 1, path: '/dev/vdx1', start: mebibyte, size: 8 * mebibyte, uuid: ownUuid });
    expect(answers.blockPartitionGrow.parse(await json('partition', 'grow', device, '1', 'max'))).toEqual({
      ...{ number: 1, path: '/dev/vdx1', was: 8 * mebibyte, size: 62 * mebibyte },
    });
    expect(await rejectionOf(json('partition', 'grow', device, 'one', 'max'))).toBeInstanceOf(UsageError);
  });
});
