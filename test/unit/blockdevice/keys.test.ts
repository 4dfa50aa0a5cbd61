import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identityOf, keysOf, locate, splitLvmName } from '../../../src/blockdevice/index.ts';
import { askedOnce } from '../../../src/command/index.ts';
import { dmName } from '../../../src/lvm/names.ts';
import { CommandError, ParseError, RefusedError } from '../../../src/core/errors.ts';
import { disk, mapped, treeHost, virtual } from './tree-host.ts';
import { reached } from '../../../src/simulator/world/files.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';

// As the kernel told it on Debian 12 of a VG on vdb with a volume, and a volume with a snapshot.
const vg = 'LVM-ztXZ0selCyKzkEmstjtUB2qhf30ep806';
const plain = `${vg}4ja3pot0zwNZd5aJm4VC5iSJjfAFgfe4`;
const host = treeHost(
  {
    ...disk('vdb', '254:16', { 1: '254:17' }),
    ...mapped({ name: 'dm-1', number: '253:1', map: 'vg--one-web--1', uuid: plain }, { vdb1: '254:17' }),
    '/dev/vg-one/web-1': '-> ../dm-1',
    '/dev/disk/by-uuid/abc': '-> ../../dm-1',
    '/dev/disk/by-label/a\\x20b': '-> ../../dm-1',
    '/dev/disk/by-label/circle': '-> circle',
    ...mapped(
      { name: 'dm-3', number: '253:3', map: 'vg0-web1-real', uuid: `${vg}x-real` },
      { vdb: '254:16' },
    ),
    ...mapped({ name: 'dm-0', number: '253:0', map: 'vg0-web1', uuid: `${vg}x` }, { 'dm-3': '253:3' }),
    ...mapped(
      {
        name: 'dm-5',
        number: '253:5',
        map: 'secret',
        uuid: 'CRYPT-LUKS2-0123456789abcdef0123456789abcdef-secret',
      },
      { 'dm-1': '253:1' },
    ),
    ...virtual('loop0', '7:0', { 'loop/backing_file': '/srv/image\n', 'loop/offset': '512\n' }),
    '/sys/devices/pci0000:00/virtio1/block/vdc/serial': 'Some  Disk 1\n',
    ...disk('vdc', '254:32'),
    '/dev/stale': 'block 9:9',
    '/etc/fstab': '',
    '/run/udev/control': '',
  },
  () => '{"loopdevices": [{"name": "/dev/loop0", "back-ino": 77, "back-maj:min": "     254:0  "}]}',
);

describe('keysOf', () => {
  test.each([
    '/dev/vg-one/web-1',
    '/dev/mapper/vg--one-web--1',
    '/dev/dm-1',
    '/dev/disk/by-uuid/abc',
    'UUID=abc',
    'LABEL=a b',
  ])('resolves %s to one logical volume, with everything beneath', async (path) => {
    expect(await keysOf(host, path)).toEqual({
      key: 'lv:vg-one/web-1',
      beneath: ['vg:vg-one', 'dev:vdb-part1', 'dev:vdb'],
    });
  });

  test('does not list a volume with a snapshot beneath itself', async () => {
    expect(await keysOf(host, '/dev/dm-0')).toEqual({ key: 'lv:vg0/web1', beneath: ['vg:vg0', 'dev:vdb'] });
  });

  test('resolves a LUKS mapping to its header and the volume beneath', async () => {
    const { key, beneath, container } = await identityOf(host, '/dev/mapper/secret');
    expect(key).toBe('map:secret');
    expect(container).toBe('luks:01234567-89ab-cdef-0123-456789abcdef');
    expect(beneath).toEqual([container, 'lv:vg-one/web-1', 'vg:vg-one', 'dev:vdb-part1', 'dev:vdb']);
  });

  test('resolves a loop device to the inode of its file', async () => {
    expect(await identityOf(host, '/dev/loop0')).toEqual({
      key: 'dev:loop:254:0:77',
      beneath: ['file:/srv/image'],
      container: 'file:/srv/image',
      identity: 'dev:loop:254:0:77@512',
    });
  });

  // Others detach and attach loop devices all the time, and a search meets all of them.
  test.each([
    ['before losetup asks', async () => undefined, 'an answer without an inode'],
    ['while losetup asks', async () => undefined, 'no such device'],
    ['while the kernel shows an empty path', async () => '', 'an answer without an inode'],
  ])('resolves a loop device that is being detached to its name only: %s', async (_, fileNow, said) => {
    let isAsked = false;
    const own = simulatedHost();
    own.admin.writeFile('/srv/image', 'x'.repeat(4096));
    own.admin.losetup('/srv/image');
    const racing: typeof own = {
      ...own,
      run: async (command) => {
        if (!command.argv.includes('NAME,BACK-INO,BACK-MAJ:MIN')) return own.run(command);
        isAsked = true;
        if (said === 'no such device')
          throw new CommandError({ tool: 'losetup', argv: command.argv, reason: 'not-found' });
        const stdout = '{"loopdevices": [{"name": "/dev/loop0", "back-ino": null, "back-maj:min": null}]}';
        return command.parse({ exitCode: 0, stdout, stderr: '' });
      },
      readFile: async (path) => {
        if (!isAsked || !path.endsWith('/loop/backing_file')) return own.readFile(path);
        const text = await fileNow();
        if (text === undefined)
          throw new CommandError({ tool: 'file', argv: ['read', path], reason: 'not-found' });
        return Buffer.from(text);
      },
    };
    expect(await identityOf(racing, '/dev/loop0')).toMatchObject({ key: 'dev:loop0', beneath: [] });
    expect(await isElsewhere(racing)).toBe(true);
  });

  test('waits for the inode of a loop device also when answers are cached', async () => {
    let asked = 0;
    const own = simulatedHost();
    own.admin.writeFile('/srv/image', 'x'.repeat(4096));
    const device = own.admin.losetup('/srv/image');
    const busy: typeof own = {
      ...own,
      run: async (command) => {
        if (!command.argv.includes('NAME,BACK-INO,BACK-MAJ:MIN')) return own.run(command);
        asked += 1;
        if (asked > 1) return own.run(command);
        const stdout = '{"loopdevices": [{"name": "/dev/loop0", "back-ino": null, "back-maj:min": null}]}';
        return command.parse({ exitCode: 0, stdout, stderr: '' });
      },
    };

    expect((await keysOf(askedOnce(busy), device)).key).toMatch(/^dev:loop:/);
  });

  test('resolves a loop device to the birth time of its file too, because inode numbers are reused', async () => {
    const simulated = simulatedHost();
    simulated.admin.writeFile('/srv/web1.img', '1'.repeat(8192));
    const device = simulated.admin.losetup('/srv/web1.img');
    const { identity } = await identityOf(simulated, device);
    const { tree, ino, inode } = reached(simulated.world, 'open', '/srv/web1.img');
    tree.inodes.set(ino, { ...inode, birth: 1234 });

    expect((await identityOf(simulated, device)).identity).not.toBe(identity);
  });

  test('prefers the serial number of a disk to its name', async () => {
    expect((await keysOf(host, '/dev/vdc')).key).toBe('dev:Some_Disk_1');
  });

  test.each(['/dev/nothing', 'UUID=unknown', '/dev/stale'])('reports that %s is missing', async (path) => {
    const failure = await keysOf(host, path).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommandError);
    expect(failure).toMatchObject({ reason: 'not-found' });
  });

  test.each(['/etc/fstab', '/dev/disk', 'LABEL=circle'])('refuses %s, which is no device', async (path) => {
    await expect(keysOf(host, path)).rejects.toThrow(RefusedError);
  });
});

describe('splitLvmName', () => {
  const name = fc.stringMatching(/^[a-z0-9+_.][a-z0-9+_.-]{0,12}$/);

  test('reads back every name that device-mapper gives a volume', () => {
    fc.assert(
      fc.property(name, name, (group, volume) => {
        expect(splitLvmName(dmName(group, volume))).toEqual({ vg: group, lv: volume });
      }),
    );
  });

  test.each(['web', 'vg-lv-real-x', '-lv', 'vg-'])('refuses %s', (text) => {
    expect(() => splitLvmName(text)).toThrow(ParseError);
  });
});

describe('locate', () => {
  const known = { path: '/dev/vg-one/web-1', identity: plain };
  const listing = (rows: readonly object[]) => JSON.stringify({ report: [{ lv: rows }] });
  const uuids = {
    vg_uuid: 'ztXZ0s-elCy-KzkE-mstj-tUB2-qhf3-0ep806',
    lv_uuid: '4ja3po-t0zw-NZd5-aJm4-VC5i-SJjf-AFgfe4',
  };

  test('finds a device at its path', async () => {
    expect(await locate(host, known)).toBe('/dev/vg-one/web-1');
  });

  test('finds it elsewhere when its path is another device now', async () => {
    expect(await locate(host, { ...known, path: '/dev/dm-0' })).toBe('/dev/dm-1');
  });

  test('finds a disk whose name has a slash', async () => {
    const cciss = treeHost({
      ...disk('cciss!c0d0', '104:0'),
      '/sys/devices/pci0000:00/virtio1/block/cciss!c0d0/serial': 'one\n',
    });
    expect(await locate(cciss, { path: '/dev/sdb', identity: 'dev:one' })).toBe('/dev/cciss/c0d0');
  });

  /** A host that has no such device, whose lvm knows these. */
  const without = (groups: readonly object[], volumes: readonly object[]) =>
    treeHost({}, ({ tool }) =>
      tool === 'vgs' ? JSON.stringify({ report: [{ vg: groups }] }) : listing(volumes),
    );
  const group = { vg_uuid: uuids.vg_uuid, vg_name: 'vg-one', vg_exported: '' };

  test('says that a volume is gone only when lvm does not know it', async () => {
    expect(await locate(without([group], []), known)).toBeUndefined();
    await expect(locate(without([group], [uuids]), known)).rejects.toThrow(/not active/);
  });

  // lvs says nothing of the volumes of an exported group: test/fixtures/lvm/lvs-exported@2.03.16.json.
  test.each([
    ['is exported', [{ ...group, vg_exported: 'exported' }], /vg-one is exported/],
    ['is away', [{ ...group, vg_uuid: 'other' }], /its volume group is not there/],
  ])('cannot decide about a volume whose group %s', async (_, groups, said) => {
    await expect(locate(without(groups, []), known)).rejects.toThrow(said);
  });

  test('cannot decide about content of a missing device', async () => {
    await expect(locate(treeHost({}), { path: '/dev/vdz', identity: 'dev:x' })).rejects.toThrow(/is unknown/);
  });
});

/** A search for another device goes past it. */
async function isElsewhere(host: Parameters<typeof locate>[0]): Promise<boolean> {
  const known = { path: '/dev/none', identity: 'dev:loop:254:0:1@0' };
  return locate(host, known).then(
    () => false,
    (error: unknown) => error instanceof RefusedError && error.code === 'not-found',
  );
}
