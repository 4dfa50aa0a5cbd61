import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { createPv } from '../../../src/lvm/operations.ts';
import { newLvmUuid } from '../../../src/lvm/operations/create-pv.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { failNow } from '../../support/rejection.ts';
import { expectRefused } from '../simulator/recovery.ts';

const disk = '/dev/vdy';
const ext4 = {
  type: 'ext4',
  usage: 'filesystem',
  version: '1.0',
  uuid: '0c0ffee0-0000-4000-8000-00000000000f',
} as const;
const foreignPv = 'fore1g-0000-0000-0000-0000-0000-000001';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({
    disks: [
      { name: 'vdy', size: 64 * 1024 ** 2 },
      { name: 'vdz', size: 1024 ** 2 },
    ],
  });
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('physical volumes', body));
const create = (more: Partial<Parameters<Tx['lvm']['createPv']>[0]> = {}): Promise<unknown> =>
  does((tx) => tx.lvm.createPv({ device: disk, ...more }));
const holds = (on = host) => on.world.live.get('disk:vdy')?.superblock;
const free = (uuid: string): void =>
  host.admin.format(disk, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await expectRefused(host, work);
  return `${String(error)} ${String(error.remedy)}`;
}

test('a blank disk becomes a physical volume with the chosen UUID, in no group', async () => {
  const made = await create();

  expect(holds()).toMatchObject({ type: 'LVM2_member' });
  expect(made).toEqual({ device: disk, uuid: holds()?.uuid });
  expect(host.world.lvm[0]?.pvs).toHaveLength(1);
});

test('uuids have the form of lvm, and are unique', () => {
  const drawn = Array.from({ length: 50 }, newLvmUuid);

  expect(drawn.every((uuid) => /^[0-9A-Za-z]{6}(?:-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}$/.test(uuid))).toBe(
    true,
  );
  expect(new Set(drawn).size).toBe(50);
});

describe('is refused, and nothing changes', () => {
  test('for a mounted disk, whose holder is named', async () => {
    host.admin.format(disk, ext4);
    host.admin.mount(disk, '/mnt');

    expect(await refused(create({ overwrite: { uuid: ext4.uuid } }))).toMatch(/in use: mounted on \/mnt/);
  });

  test('for content that is not named', async () => {
    host.admin.format(disk, ext4);

    expect(await refused(create())).toContain(`overwrite: { uuid: '${ext4.uuid}' }`);
    expect(await refused(create({ overwrite: { uuid: 'other' } }))).toContain('names something else');
    expect(await refused(create({ overwrite: { uuid: ext4.uuid, type: 'xfs' } }))).toContain(
      'names something else',
    );
  });

  test('for a free foreign physical volume, which pvcreate itself would overwrite without a question', async () => {
    free(foreignPv);

    expect(await refused(create())).toContain(`holds LVM2_member, uuid ${foreignPv}`);
  });

  test('for a device of a volume group, whatever is named', async () => {
    const uuid = host.world.lvm[0]?.pvs[0]?.uuid ?? '';

    expect(await refused(create({ device: '/dev/vdb', overwrite: { uuid } }))).toMatch(
      /physical volume of the volume group vg0 .*bofh lvm vg remove vg0/,
    );
  });

  test('for a logical volume', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 4 });

    expect(await refused(create({ device: '/dev/vg0/a' }))).toContain('is itself a logical volume');
  });

  test('for a device that is too small', async () => {
    expect(await refused(create({ device: '/dev/vdz' }))).toMatch(/has 1 MiB; a physical volume needs 2 MiB/);
  });

  test('for a blank disk, when content is named', async () => {
    expect(await refused(create({ overwrite: { uuid: ext4.uuid } }))).toContain('is blank');
  });

  test('without a name of the content to overwrite', async () => {
    await expect(create({ overwrite: {} })).rejects.toBeInstanceOf(UsageError);
  });

  test('for a disk with a partition table, also when it is named; an empty one has no partition to lose', async () => {
    host.admin.partition(disk, { type: 'gpt', id: ext4.uuid, partitions: [] });

    expect(await refused(create({ overwrite: { uuid: ext4.uuid, type: 'gpt' } }))).toContain(
      `holds a partition table (gpt), uuid ${ext4.uuid}; nothing was written erase it first: bofh block wipe ${disk} --overwrite ${ext4.uuid}`,
    );
  });

  test('but not after that remedy', async () => {
    host.admin.partition(disk, { type: 'gpt', id: ext4.uuid, partitions: [] });

    await does((tx) => tx.block.wipe({ device: disk, overwrite: [ext4.uuid] }));
    await create();

    expect(holds()).toMatchObject({ type: 'LVM2_member' });
  });
});

describe('undone', () => {
  test('makes the disk blank again, also where content was overwritten', async () => {
    host.admin.format(disk, ext4);

    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.createPv({ device: disk, overwrite: { uuid: ext4.uuid } });
        await failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(holds()).toBeUndefined();
  });

  test('leaves alone a foreign physical volume in its place', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.createPv({ device: disk });
        free(foreignPv);
        await failNow();
      }),
    );

    expect((error as RolledBackError).leftUntouched.join()).toContain(`holds LVM2_member, uuid ${foreignPv}`);
    expect(holds()?.uuid).toBe(foreignPv);
  });

  test('is stuck when it is in a foreign group, which is named, and finishes once it is out of it', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.createPv({ device: disk });
        host.admin.vgextend('vg0', disk);
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toMatch(/in the volume group vg0 now/);
    expect(holds()).toBeDefined();

    host.admin.vgreduce('vg0', disk);
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('can run twice', async () => {
    const undo = await createPv.prepare({ args: { device: disk }, mark: 'bofh.0a.1', host });
    const change = host.during({ outputs: '/nowhere', lock: -1 });
    await createPv.run({ args: { device: disk }, undo, host: change });
    expect((await createPv.look({ undo, host })).state).toBe('ours');

    await createPv.revert({ undo, host: change });
    await createPv.revert({ undo, host: change });

    expect((await createPv.look({ undo, host })).state).toBe('gone');
    expect(host.changes.filter(({ what }) => what === 'command')).toHaveLength(2);
  });
});

test('a concurrent change between check and act: nothing is overwritten', async () => {
  const args = { device: disk };
  const undo = await createPv.prepare({ args, mark: 'bofh.0a.1', host });
  free(foreignPv);

  const error = await failureOf(
    createPv.run({ args, undo, host: host.during({ outputs: '/nowhere', lock: -1 }) }),
  );

  expect(String(error)).toContain('; nothing was written');
  expect(holds()?.uuid).toBe(foreignPv);
});

test('on a disk that has another name after a reboot, because it has no serial number, is not reported as undone', async () => {
  for (const each of host.world.disks) Object.assign(each, { serial: '' });
  host.fault({ tool: 'pvcreate', mode: 'acts then crash' });
  await failureOf(create());
  host.clearFaults();
  const next = host.reboot();
  const made = next.world.live.get('disk:vdy');
  next.world.live.set('disk:vdz', { ...made });
  next.world.live.delete('disk:vdy');

  await expect(recoverAll(next)).rejects.toThrow(/is not on \/dev\/vdy but on \/dev\/vdz/);
});
