import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { probe } from '../../../../src/blockdevice/index.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../../src/core/errors.ts';
import * as answers from '../../../../src/cli/output/answers/index.ts';
import type { Tx } from '../../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { rejectionOf } from '../../../support/rejection.ts';
import { typed } from '../../plan/support.ts';
import { bofhOn } from '../../simulator/support.ts';

const device = '/dev/vdz';
const uuid = '5e1f0000-0000-4000-8000-000000000001';
const other = '0c0ffee0-0000-4000-8000-000000000002';
const ext4 = { type: 'ext4', usage: 'filesystem', uuid } as const;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdz', size: 512 * 1024 ** 2 }] });
  host.admin.format(device, ext4);
});

const does = <T>(body: (tx: Tx) => Promise<T>): Promise<T> =>
  withBofh(bofhOn(host), () => atomic('wipes', body));
const wipe = (overwrite: readonly string[] = [uuid]) =>
  does((tx) => tx.block.wipe({ device, overwrite: [...overwrite] }));
const changes = (): number => host.changes.length;

describe('block.wipe', () => {
  test('leaves the device blank, and reports what it erased', async () => {
    expect(await wipe()).toEqual({ device, erased: [{ offset: 0x438, length: 2, type: 'ext4', uuid }] });
    expect(await probe(host, device)).toBeUndefined();
  });

  test.each(['ext2', 'xfs', 'btrfs', 'vfat', 'swap', 'crypto_LUKS'])(
    'restores %s byte for byte',
    async (type) => {
      host.admin.format(device, { type, usage: type === 'crypto_LUKS' ? 'crypto' : 'filesystem', uuid });
      const before = host.snapshot();
      let between: unknown = 'not looked';
      const error = await rejectionOf(
        does(async (tx) => {
          await tx.block.wipe({ device, overwrite: [uuid] });
          between = await probe(host, device);
          throw new Error('a later step fails');
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      expect(between).toBeUndefined();
      expect(host.snapshot()).toBe(before);
    },
  );

  test('restores nothing after later content was undone', async () => {
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.wipe({ device, overwrite: [uuid] });
        await tx.filesystem.create({ device, type: 'swap' });
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    // The swap area is in the way of an ext4 that was there once: its bytes alone would not bring it back.
    expect(await probe(host, device)).toBeUndefined();
  });

  test('leaves alone content that others created there since', async () => {
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.wipe({ device, overwrite: [uuid] });
        host.admin.format(device, { ...ext4, uuid: other });
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(await probe(host, device)).toMatchObject({ type: 'ext4', uuid: other });
  });

  test('does not restore while the device is in use', async () => {
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.wipe({ device, overwrite: [uuid] });
        host.admin.swapon(device);
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(await probe(host, device)).toBeUndefined();
  });

  test.each([
    ['nothing is named', [], new RegExp(`holds ext4, uuid ${uuid}: it was not named; nothing was erased`)],
    ['another one is named', [other], /was not named/],
    ['more is named than there is', [uuid, 'dos'], /dos is not there/],
    ['another type is named', ['xfs'], /was not named/],
  ] as const)('is refused when %s', async (_, overwrite, why) => {
    const before = changes();
    const error = await rejectionOf(wipe(overwrite));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(why);
    expect(error).toHaveProperty('remedy', `to erase all of it, name all of it: overwrite: ['${uuid}']`);
    expect(changes()).toBe(before);
  });

  test.each([{}, { uuid }])('accepts the type as a name: %j', async (more) => {
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', ...more });
    await wipe(['ext4']);
    expect(await probe(host, device)).toBeUndefined();
  });

  test('is refused for a blank device', async () => {
    host.admin.format(device, undefined);
    expect(String(await rejectionOf(wipe()))).toMatch(/is blank: there is nothing to erase/);
  });

  test('is refused while mounted, and names the mount', async () => {
    host.admin.mkdir('/mnt/a');
    host.admin.mount(device, '/mnt/a');
    const error = await rejectionOf(wipe());
    expect(error).toMatchObject({
      name: 'RefusedError',
      holders: [expect.objectContaining({ kind: 'mount' })],
    });
  });

  test('is refused for a physical volume of a group, whatever is named', async () => {
    const pv = 'web100-0000-0000-0000-0000-0000-vdz000';
    host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid: pv, version: 'LVM2 001' });
    host.admin.vgcreate('vg9', [device]);
    expect(String(await rejectionOf(wipe([pv])))).toMatch(/physical volume of the volume group vg9/);
    expect(await probe(host, device)).toMatchObject({ uuid: pv });
  });

  describe('is refused, whatever is named, where blkid shows other content', () => {
    const wipeWhereBlkid = (says: { readonly exitCode: number; readonly stdout: string }, named: string) => {
      const run: SimulatedHost['run'] = async (command) =>
        command.tool === 'blkid' ? command.parse({ stderr: '', ...says }) : host.run(command);
      const work = () => atomic('wipes', (tx) => tx.block.wipe({ device, overwrite: [named] }));
      return rejectionOf(withBofh(bofhOn({ ...host, run }), work));
    };

    test('for partitions beside ambivalent signatures', async () => {
      const first = { number: 1, start: 2048, size: 2048, type: '83' };
      host.admin.partition(device, { type: 'dos', id: '0x5e1f0001', partitions: [first] });
      const before = host.snapshot();
      const error = await wipeWhereBlkid({ exitCode: 8, stdout: '' }, 'dos');
      expect(String(error)).toMatch(/has a partition table \(dos, with the partition \/dev\/vdz1/);
      expect(host.snapshot()).toBe(before);
    });

    test('for a physical volume of a group in a half of a mirror', async () => {
      const pv = 'web100-0000-0000-0000-0000-0000-vdz000';
      host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid: pv, version: 'LVM2 001' });
      host.admin.vgcreate('vg9', [device]);
      const stdout = `DEVNAME=${device}\nUUID=${other}\nUSAGE=raid\nTYPE=linux_raid_member\n`;
      const error = await wipeWhereBlkid({ exitCode: 0, stdout }, pv);
      expect(String(error)).toMatch(/physical volume of the volume group vg9/);
      expect(await probe(host, device)).toMatchObject({ uuid: pv });
    });
  });

  test('refuses a second one in the same sequence, and undoes the first', async () => {
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block.wipe({ device, overwrite: [uuid] });
        await tx.block.wipe({ device, overwrite: [uuid] });
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(await probe(host, device)).toMatchObject({ uuid });
  });
});

describe('bofh block wipe', () => {
  test('reports what it erased', async () => {
    const { stdout } = await typed(host, ['--json', '--yes', 'block', 'wipe', device, '--overwrite', uuid]);
    expect(answers.blockWipe.parse(JSON.parse(stdout))).toEqual({
      device,
      erased: [{ offset: 0x438, length: 2, type: 'ext4', uuid }],
    });
  });

  test('asks first', async () => {
    const error = await rejectionOf(typed(host, ['block', 'wipe', device, '--overwrite', uuid]));
    expect(error).toBeInstanceOf(RefusedError);
    expect(await probe(host, device)).toMatchObject({ uuid });
  });
});
