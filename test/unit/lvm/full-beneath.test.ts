import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { autoextendThreshold } from '../../../src/lvm/commands.ts';
import { refuseFullBeneath } from '../../../src/lvm/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { ownUuid, smallSystem } from '../../support/undo/stage.ts';
import { disk, mapped, treeHost } from '../blockdevice/tree-host.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn } from '../simulator/support.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'plain', extents: 16 });
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 32 });
  host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 16 });
  host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'plain', extents: 2 });
});

const refuses = (device: string): Promise<unknown> => failureOf(refuseFullBeneath(host, device, 'it'));
const allows = async (device: string): Promise<void> => refuseFullBeneath(host, device, 'it');
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('full', body));
const ran = (): readonly string[] =>
  host.changes.flatMap((each) => (each.what === 'command' ? [each.command.tool] : []));

describe('a volume on a thin pool', () => {
  test('may be written while the pool has space', async () => {
    host.admin.fill('vg0', 'pool', { data: 94.99, metadata: 10 });
    await allows('/dev/vg0/thin');
  });

  test.each([
    [{ data: 95, metadata: 10 }, 'lvm pool resize vg0/pool --size'],
    [{ data: 10, metadata: 96 }, 'lvm pool resize vg0/pool --metadata-size'],
  ])('is refused when the pool is full: %j', async (filled, remedy) => {
    host.admin.fill('vg0', 'pool', filled);
    const error = await refuses('/dev/vg0/thin');
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/the pool vg0\/pool is full .*: it is not started/) as string,
      remedy: expect.stringContaining(remedy) as string,
    });
    await allows('/dev/vg0/plain');
  });

  test('is refused when the usage of the pool is unknown', async () => {
    const [uuid = ''] = (host.world.lvm[0]?.lvs ?? []).flatMap((lv) => (lv.name === 'pool' ? [lv.uuid] : []));
    host.world.active.delete(uuid);
    host.world.revision += 1;
    expect(String(await refuses('/dev/vg0/thin'))).toMatch(/is unknown/);
  });
});

describe('a classic snapshot', () => {
  test('that is full is refused, and its origin, and nothing else', async () => {
    host.admin.fill('vg0', 'monday', { data: 97 });
    for (const device of ['/dev/vg0/monday', '/dev/vg0/plain'])
      expect(String(await refuses(device))).toMatch(
        /the snapshot vg0\/monday is full \(data 97 %\): it is not/,
      );
    await allows('/dev/vg0/thin');
  });

  test('that is invalid already does not block writes to its origin', async () => {
    host.admin.fill('vg0', 'monday', { data: 100 });
    expect(String(await refuses('/dev/vg0/monday'))).toMatch(/is full/);
    await allows('/dev/vg0/plain');
  });

  test('does not depend on another snapshot of its origin', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'tuesday', origin: 'plain', extents: 2 });
    host.admin.fill('vg0', 'tuesday', { data: 97 });
    await allows('/dev/vg0/monday');
  });

  test('of a thin volume depends on its pool too', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'of-thin', origin: 'thin', extents: 2 });
    host.admin.fill('vg0', 'pool', { data: 99, metadata: 1 });
    for (const device of ['/dev/vg0/of-thin', '/dev/vg0/thin'])
      expect(String(await refuses(device))).toMatch(/the pool vg0\/pool is full/);
  });
});

describe('the facts of the kernel', () => {
  const group = 'LVM-ztXZ0selCyKzkEmstjtUB2qhf30ep806';
  const identity = `${group}4ja3pot0zwNZd5aJm4VC5iSJjfAFgfe4`;
  const stacked = {
    ...disk('vdb', '254:16', { 1: '254:17' }),
    ...mapped(
      { name: 'dm-2', number: '253:2', map: 'vg0-pool-tpool', uuid: `${identity}-tpool` },
      { vdb1: '254:17' },
    ),
    ...mapped({ name: 'dm-3', number: '253:3', map: 'vg0-a', uuid: `${group}x` }, { 'dm-2': '253:2' }),
    ...mapped(
      { name: 'dm-4', number: '253:4', map: 'secret', uuid: 'CRYPT-LUKS2-x-secret' },
      { 'dm-3': '253:3' },
    ),
  };
  const nothing = () => '{"report": [], "log": []}';

  test('need no lvm without a pool or a snapshot', async () => {
    await refuseFullBeneath(treeHost(stacked), '/dev/vdb1', 'it');
  });

  test('are followed to the lowest device, and a device unknown to lvm is refused', async () => {
    const asked: ReadHost = treeHost(stacked, nothing);
    const error = await failureOf(refuseFullBeneath(asked, '/dev/dm-4', 'it'));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(
      `has a pool ${identity} below the device, and lvm does not know this pool`,
    );
  });
});

test('the threshold of lvm is read as it prints it, and nothing else is', () => {
  const { parse } = autoextendThreshold();
  // lvm2 2.03.16, lvm config --typeconfig full
  const answer = { exitCode: 0, stdout: 'thin_pool_autoextend_threshold=70\n', stderr: '' };
  expect(parse(answer)).toBe(70);
  for (const stdout of ['', 'thin_pool_autoextend_threshold=\n', 'thin_pool_autoextend_percent=20\n'])
    expect(() => parse({ ...answer, stdout })).toThrow(/printed no thin_pool_autoextend_threshold/);
});

describe('a given number of bytes', () => {
  const volume = 16 * 4 * 1024 ** 2;
  const writes = (on: ReadHost = host, bytes = volume): Promise<unknown> =>
    failureOf(refuseFullBeneath(on, '/dev/vg0/thin', 'it', { bytes }));
  const fill = (pool: number, thin: number): void => {
    host.admin.fill('vg0', 'pool', { data: pool, metadata: 1 });
    host.admin.fill('vg0', 'thin', { data: thin });
  };

  test('is refused with both sizes when the pool has no space', async () => {
    // Of 128 MiB there is room for 31 until it is 95 % full.
    fill(70.78, 0);
    const error = await writes();
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(
      /the pool vg0\/pool has space for .* until it is 95 % full \(data 70.78 %\), but it needs at least .*/,
    );
    expect(error).toMatchObject({
      remedy: expect.stringMatching(/pool resize vg0\/pool --size \+/) as string,
    });
  });

  test('is accepted where the volume has its blocks already, or the pool has space', async () => {
    fill(90, 100);
    await refuseFullBeneath(host, '/dev/vg0/thin', 'it', { bytes: volume });
    fill(90, 50);
    expect(await writes()).toBeInstanceOf(RefusedError);
    await refuseFullBeneath(host, '/dev/vg0/thin', 'it', { bytes: volume / 2 });
    fill(40, 0);
    await refuseFullBeneath(host, '/dev/vg0/thin', 'it', { bytes: volume });
  });

  test('is accepted where lvm extends the pool automatically, and the group has space', async () => {
    fill(90, 0);
    const extending: ReadHost = {
      ...host,
      run: async (command) =>
        command.argv[0] === 'config'
          ? command.parse({ exitCode: 0, stdout: 'thin_pool_autoextend_threshold=80\n', stderr: '' })
          : host.run(command),
    };
    expect(await writes()).toBeInstanceOf(RefusedError);
    await refuseFullBeneath(extending, '/dev/vg0/thin', 'it', { bytes: volume });
    expect(await writes(extending, 2 ** 40)).toBeInstanceOf(RefusedError);
  });
});

describe('nothing is started on a full pool', () => {
  const full = () => host.admin.fill('vg0', 'pool', { data: 98, metadata: 1 });
  const refused = async (body: (tx: Tx) => Promise<unknown>): Promise<void> => {
    full();
    const before = [host.snapshot(), ran().length];
    expect(String(await failureOf(does(body)))).toMatch(/the pool vg0\/pool is full .* is not started/);
    expect([host.snapshot(), ran().length]).toEqual(before);
  };

  test('no filesystem', () =>
    refused((tx) => tx.filesystem.create({ device: '/dev/vg0/thin', type: 'ext4' })));

  test('no encrypted device', async () => {
    host.admin.writeFile('/etc/key', 'geheim', 0o600);
    await refused((tx) =>
      tx.crypt.format({ device: '/dev/vg0/thin', key: { from: 'file', path: '/etc/key' } }),
    );
  });

  test('no archive is unpacked', async () => {
    host.addTar('/srv/debian.tar', smallSystem);
    host.admin.format('/dev/vg0/thin', { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
    host.admin.mkdir('/mnt/web1');
    host.admin.mount('/dev/vg0/thin', '/mnt/web1');
    const asked = { source: '/srv/debian.tar', root: '/mnt/web1', device: '/dev/vg0/thin', files: [] };
    await refused((tx) => tx.copy.unpack({ ...asked, filesystem: ownUuid }));
  });

  test('no zeros, but acts that free space run', async () => {
    await refused((tx) => tx.block.zero({ device: '/dev/vg0/thin', overwrite: ['blank'] }));
    await does((tx) => tx.block.discard({ device: '/dev/vg0/thin', overwrite: ['blank'] }));
    expect(ran()).toContain('blkdiscard');
  });

  test('no reencryption that does not fit', async () => {
    host.admin.writeFile('/etc/key', 'geheim', 0o600);
    host.admin.luksFormat({ device: '/dev/vg0/thin', uuid: ownUuid, key: 'geheim' });
    host.admin.fill('vg0', 'pool', { data: 80, metadata: 1 });
    host.admin.fill('vg0', 'thin', { data: 0 });
    const key = { from: 'file', path: '/etc/key' } as const;
    const error = await failureOf(does((tx) => tx.crypt.reencrypt({ device: '/dev/vg0/thin', key })));
    expect(String(error)).toMatch(
      /the encryption of \/dev\/vg0\/thin needs at least 48 MiB: nothing was started/,
    );
  });

  test('no zeros that do not fit', async () => {
    host.admin.fill('vg0', 'pool', { data: 80, metadata: 1 });
    host.admin.fill('vg0', 'thin', { data: 0 });
    const error = await failureOf(
      does((tx) => tx.block.zero({ device: '/dev/vg0/thin', overwrite: ['blank'] })),
    );
    expect(String(error)).toMatch(
      /zeros on all of \/dev\/vg0\/thin needs at least 64 MiB: nothing was started/,
    );
  });

  test('no device is added to a btrfs, used as a replacement, or balanced to', async () => {
    pool(host);
    secondPool(host);
    host.admin.thinVolume({ vg: 'vg0', name: 'large', pool: 'pool', extents: 512 });
    await refused((tx) => tx.btrfs.addDevice({ path: '/srv/second', device: '/dev/vg0/large' }));
    const [device = ''] = [...host.world.mounts].flatMap(({ path, source }) =>
      path === '/srv/second' ? [source] : [],
    );
    await refused((tx) => tx.btrfs.replaceDevice({ path: '/srv/second', device, by: '/dev/vg0/large' }));
    host.admin.btrfs('device', 'add', '/dev/vg0/large', '/srv/second');
    await refused((tx) => tx.btrfs.balance({ path: '/srv/second', dataUsage: 50 }));
    await refused((tx) => tx.btrfs.removeDevice({ path: '/srv/second', device }));
  });

  test('but a btrfs device on it is removed, because nothing is written to it', async () => {
    pool(host);
    secondPool(host);
    host.admin.btrfs('device', 'add', '/dev/vg0/thin', '/srv/second');
    full();
    await does((tx) => tx.btrfs.removeDevice({ path: '/srv/second', device: '/dev/vg0/thin' }));
  });

  test('no archive that does not fit', async () => {
    const members = [{ path: './big', content: 'x'.repeat(2 ** 20) }];
    host.addTar('/srv/big.tar', members);
    host.admin.format('/dev/vg0/thin', { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
    host.admin.mkdir('/mnt/web1');
    host.admin.mount('/dev/vg0/thin', '/mnt/web1');
    const asked = { source: '/srv/big.tar', root: '/mnt/web1', device: '/dev/vg0/thin', files: [] };
    host.admin.fill('vg0', 'pool', { data: 94.9, metadata: 1 });
    const error = await failureOf(does((tx) => tx.copy.unpack({ ...asked, filesystem: ownUuid })));
    expect(String(error)).toMatch(/the unpacking into \/mnt\/web1 needs at least .*: nothing was started/);
    host.admin.fill('vg0', 'thin', { data: 10 });
    await does((tx) => tx.copy.unpack({ ...asked, filesystem: ownUuid }));
  });

  test('no subvolume is received', async () => {
    pool(host);
    secondPool(host);
    host.admin.btrfs('device', 'add', '/dev/vg0/thin', '/srv/second');
    await refused((tx) =>
      tx.btrfs.copySubvolume({ source: '/srv/pool/snapshots/home.foreign', into: '/srv/second' }),
    );
  });
});
