import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/errors.ts';
import { refuseFullBeneath } from '../../../src/lvm/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/testing/index.ts';
import { pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { ownUuid, smallSystem } from '../../support/undo/stage.ts';
import { disk, mapped, treeHost } from '../blockdevice/tree-host.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn } from '../testing/support.ts';

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

describe('what lies on a thin pool', () => {
  test('may be written to while the pool has room', async () => {
    host.admin.fill('vg0', 'pool', { data: 94.99, metadata: 10 });
    await allows('/dev/vg0/thin');
  });

  test.each([
    [{ data: 95, metadata: 10 }, 'lvm pool resize vg0/pool --size'],
    [{ data: 10, metadata: 96 }, 'lvm pool resize vg0/pool --metadata-size'],
  ])('is refused when that is full: %j', async (filled, remedy) => {
    host.admin.fill('vg0', 'pool', filled);
    const error = await refuses('/dev/vg0/thin');
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/the pool vg0\/pool is full .*: it is not begun/) as string,
      remedy: expect.stringContaining(remedy) as string,
    });
    await allows('/dev/vg0/plain');
  });

  test('is refused when nobody can tell how full that is', async () => {
    const [uuid = ''] = (host.world.lvm[0]?.lvs ?? []).flatMap((lv) => (lv.name === 'pool' ? [lv.uuid] : []));
    host.world.active.delete(uuid);
    host.world.revision += 1;
    expect(String(await refuses('/dev/vg0/thin'))).toMatch(/cannot be told/);
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

  test('that is lost already does not keep its origin from being written to', async () => {
    host.admin.fill('vg0', 'monday', { data: 100 });
    expect(String(await refuses('/dev/vg0/monday'))).toMatch(/is full/);
    await allows('/dev/vg0/plain');
  });

  test('does not care for another snapshot of its origin', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'tuesday', origin: 'plain', extents: 2 });
    host.admin.fill('vg0', 'tuesday', { data: 97 });
    await allows('/dev/vg0/monday');
  });

  test('of a thin volume lies on its pool as well', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'of-thin', origin: 'thin', extents: 2 });
    host.admin.fill('vg0', 'pool', { data: 99, metadata: 1 });
    for (const device of ['/dev/vg0/of-thin', '/dev/vg0/thin'])
      expect(String(await refuses(device))).toMatch(/the pool vg0\/pool is full/);
  });
});

describe("the kernel's own facts", () => {
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

  test('do without lvm where there is neither a pool nor a snapshot', async () => {
    await refuseFullBeneath(treeHost(stacked), '/dev/vdb1', 'it');
  });

  test('are followed to the ground, and what lvm does not know is refused', async () => {
    const asked: ReadHost = treeHost(stacked, nothing);
    const error = await failureOf(refuseFullBeneath(asked, '/dev/dm-4', 'it'));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(`has a pool ${identity} beneath, of which lvm knows nothing`);
  });
});

describe('nothing is begun on a full pool', () => {
  const full = () => host.admin.fill('vg0', 'pool', { data: 98, metadata: 1 });
  const refused = async (body: (tx: Tx) => Promise<unknown>): Promise<void> => {
    full();
    const before = [host.snapshot(), ran().length];
    expect(String(await failureOf(does(body)))).toMatch(/the pool vg0\/pool is full .* is not begun/);
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

  test('no subvolume is received', async () => {
    pool(host);
    secondPool(host);
    host.admin.btrfs('device', 'add', '/dev/vg0/thin', '/srv/second');
    await refused((tx) =>
      tx.btrfs.copySubvolume({ source: '/srv/pool/snapshots/home.foreign', into: '/srv/second' }),
    );
  });
});
