import { describe, expect, it } from 'vitest';
import type { FileStat, ReadHost } from '../../../src/command/index.ts';
import { hostMapOf } from '../../../src/map/host-map.ts';
import { registerLayer } from '../../../src/layers.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { type StackTree, stackTree, tree } from '../../../src/stack/index.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

import { quiet, treeHost, virtual } from '../blockdevice/tree-host.ts';

const mib = 1024 ** 2;
const ext4 = {
  type: 'ext4',
  usage: 'filesystem',
  version: '1.0',
  uuid: '0c0ffee0-0000-4000-8000-000000000001',
} as const;

/** A volume with an ext4, beside others. */
function host(): SimulatedHost {
  const made = simulatedHost({
    volumeGroups: [
      { name: 'vg0', size: 1024 * mib },
      { name: 'vg1', size: 512 * mib },
    ],
    disks: [{ name: 'vdd', size: 64 * mib }],
  });
  made.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  made.admin.lvcreate({ vg: 'vg1', name: 'web1', extents: 2 });
  made.admin.format('/dev/vg0/web1', { ...ext4, label: 'root' });
  return made;
}

function find({ devices }: StackTree, name: string): StackTree['devices'][number] {
  const found = devices.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name} among ${devices.map((one) => one.name).join()}`);
  return found;
}

describe('the tree of a host', () => {
  it('shows all layers, with sizes and overheads, by its documented type', async () => {
    const made = await tree({ host: host() });

    expect(stackTree.parse(made)).toEqual(made);
    const disk = find(made, 'vdb');
    expect(disk.content).toMatchObject({ layer: 'lvm-pv', size: 1020 * mib, overhead: 4 * mib });
    expect(disk.content.facts).toContainEqual({ name: 'group', value: 'vg0' });
    expect(disk.above).toEqual([find(made, 'vg0/web1').id]);
    expect(find(made, 'vg0/web1')).toMatchObject({
      ...{ key: 'lv:vg0/web1', kind: 'volume', path: '/dev/mapper/vg0-web1', size: 16 * mib, below: ['vdb'] },
      content: { state: 'known', type: 'ext4', label: 'root', uuid: ext4.uuid },
    });
    expect(find(made, 'vdd').content.state).toBe('blank');
  });

  it('reads common facts once, and probes devices with few programs', async () => {
    const [few, many] = await Promise.all([10, 20].map(counted));

    // A look at the 10 blank ones, which blkid would end at, and a look at the others.
    expect(few).toEqual({ mounts: 1, disks: 1, blank: 2, blkid: 1 });
    expect(many).toEqual(few);
  });

  async function counted(volumes: number) {
    const made = simulatedHost();
    for (let n = 0; n < volumes; n += 1) {
      made.admin.lvcreate({ vg: 'vg0', name: `full${String(n)}`, extents: 1 });
      made.admin.format(`/dev/vg0/full${String(n)}`, {
        ...ext4,
        uuid: `0c0ffee0-0000-4000-8000-${String(n).padStart(12, '0')}`,
      });
    }
    for (let n = 0; n < 10; n += 1) made.admin.lvcreate({ vg: 'vg0', name: `blank${String(n)}`, extents: 1 });
    const count = { mounts: 0, disks: 0, blank: 0, blkid: 0 };
    made.faults.watch(({ tool, argv }) => {
      if (tool === 'blkid') count.blkid += 1;
      if (['wipefs', 'perl', 'debugfs', 'od'].includes(tool)) count.blank += 1;
      if (argv.join(' ') === 'read /proc/self/mountinfo') count.mounts += 1;
      if (argv.join(' ') === 'list /sys/block') count.disks += 1;
    });
    await tree({ host: made });
    return count;
  }

  it('distinguishes equal names in two volume groups', async () => {
    const made = await tree({ host: host() });

    expect(find(made, 'vg1/web1')).toMatchObject({ below: ['vdc'], content: { state: 'blank' } });
  });

  it('names the mounts, the swap and the guests that use a device', async () => {
    const there = host();
    there.admin.mkdir('/mnt/odd place');
    there.admin.mount('/dev/vg0/web1', '/mnt/odd place');
    there.admin.format('/dev/vg1/web1', { type: 'swap', usage: 'other', version: '1' });
    there.admin.swapon('/dev/vg1/web1');
    const number = (await there.stat('/dev/vdd'))?.node ?? '';
    there.admin.startDomain({ name: 'mail', disks: [{ vdev: 'xvda', path: '/dev/vdd', number }] });

    const made = await tree({ host: there });

    expect(find(made, 'vg0/web1').uses).toMatchObject([
      { kind: 'mount', path: '/mnt/odd place', mode: 'rw' },
    ]);
    expect(find(made, 'vg1/web1').uses).toEqual([{ kind: 'swap' }]);
    expect(find(made, 'vdd').uses).toEqual([{ kind: 'guest', domid: 1, name: 'mail' }]);
  });

  it('names the target that serves a device to other hosts', async () => {
    const there = host();
    const [major, minor] = ((await there.stat('/dev/vdd'))?.node ?? '').split(':');
    const at = '/sys/kernel/config/target/core';
    const files: Readonly<Record<string, string>> = {
      [`${at}/iblock_0/backup/enable`]: '1\n',
      [`${at}/iblock_0/backup/info`]: `Status: ACTIVATED\n        Major: ${major} Minor: ${minor}  CLAIMED: IBLOCK\n`,
    };
    const directory = (await there.stat('/sys')) ?? {};
    const served: ReadHost = {
      ...there,
      readDir: async (path) => {
        if (path === at) return ['iblock_0'];
        return path === `${at}/iblock_0` ? ['backup'] : there.readDir(path);
      },
      readFile: async (path) => (path in files ? Buffer.from(files[path] ?? '') : there.readFile(path)),
      stat: async (path) =>
        path === `${at}/iblock_0/backup`
          ? ({ ...directory, kind: 'directory' } as FileStat)
          : there.stat(path),
    };

    const made = await tree({ host: served });

    expect(find(made, 'vdd').uses).toEqual([{ kind: 'target', name: 'backup' }]);
    expect(
      hostMapOf({
        ...{ host: 'h', at: new Date(0), tree: made, groups: [], volumes: [], guests: [], unknown: [] },
      }).others.find(({ name }) => name === 'vdd')?.mounts,
    ).toEqual(['target backup']);
  });

  it('names a stopped guest by its configuration, whatever path that has for the device', async () => {
    const there = host();
    const config = (path: string): string =>
      `name = 'web1'\nmemory = 128\nkernel = '/vmlinuz'\ndisk = ['phy:${path},xvda,w']\n`;
    there.admin.writeFile('/etc/xen/web1.cfg', config('/dev/mapper/vg0-web1'));

    const made = await tree({ host: there, configDirs: ['/etc/xen', '/etc/none'] });

    expect(find(made, 'vg0/web1').uses).toEqual([
      { kind: 'configured-guest', name: 'web1', file: '/etc/xen/web1.cfg' },
    ]);
    expect(made.unknown).toEqual([]);
  });

  it('says that the disks of a guest with an unreadable configuration are unknown', async () => {
    const there = host();
    there.admin.writeFile('/etc/xen/bad.cfg', 'name = \n');

    expect((await tree({ host: there, configDirs: ['/etc/xen'] })).unknown).toEqual([
      expect.stringContaining('/etc/xen/bad.cfg'),
    ]);
  });

  it('of one device shows the layers below and above it, and no neighbours', async () => {
    const there = host();

    const ofVolume = await tree({ host: there, device: '/dev/vg0/web1' });
    const ofDisk = await tree({ host: there, device: '/dev/vdb' });

    expect(ofVolume.devices.map(({ name }) => name)).toEqual(['vdb', 'vg0/web1']);
    expect(ofVolume.asked).toBe(find(ofVolume, 'vg0/web1').id);
    expect(ofVolume.roots).toEqual(['vdb']);
    expect(ofDisk.devices.map(({ name }) => name)).toEqual(['vdb', 'vg0/web1']);
  });

  it('is not misled by the name of a device', async () => {
    const there = host();
    there.admin.lvcreate({ vg: 'vg0', name: 'LUKS-ext4-swap', extents: 1 });

    expect(find(await tree({ host: there }), 'vg0/LUKS-ext4-swap').content).toMatchObject({
      ...{ state: 'blank', layer: null },
    });
  });

  it('shows a layer of an unknown type', async () => {
    const there = host();
    there.admin.format('/dev/vdd', { type: 'bcache', usage: 'other', uuid: 'abc' });

    expect(find(await tree({ host: there }), 'vdd').content).toMatchObject({
      ...{ state: 'unknown', layer: null, title: 'bcache', uuid: 'abc' },
    });
  });

  it('changes nothing, and says that a closed container cannot be read', async () => {
    const there = host();
    there.admin.format('/dev/vdd', { type: 'crypto_LUKS', usage: 'crypto', uuid: ext4.uuid, version: '2' });
    const before = there.snapshot();

    const made = await tree({ host: there });

    expect(find(made, 'vdd').unknown.join()).toMatch(/closed/);
    expect(there.snapshot()).toEqual(before);
  });

  it('fails for a detached device, and does not list it', async () => {
    const empty = {
      ...quiet,
      ...virtual('loop0', '7:0', { size: '0\n', ro: '0\n' }),
      ...virtual('ram0', '1:0', { size: '2048\n', ro: '0\n' }),
    };
    const there = treeHost(empty, () => '');

    await expect(tree({ host: there, device: '/dev/loop0' })).rejects.toThrow(/has no size/);
    expect((await tree({ host: there })).devices.map(({ name }) => name)).toEqual(['ram0']);
  });

  it('fails for a missing device, and for an invalid path', async () => {
    await expect(tree({ host: host(), device: '/dev/vg0/none' })).rejects.toThrow(/no such device/);
    await expect(tree({ host: host(), device: 'vg0/web1' })).rejects.toThrow(UsageError);
  });
});

describe('registerLayer', () => {
  it('adds a new type of layer to the tree, until it is removed', async () => {
    const there = host();
    there.admin.format('/dev/vdd', { type: 'bcache', usage: 'other', uuid: 'abc' });
    const forget = registerLayer({
      ...{ name: 'bcache', of: 'content', title: () => 'bcache backing device' },
      recognises: ({ content }) => content?.type === 'bcache',
      tell: async ({ device }) => ({
        size: device.size - 8192,
        overhead: 8192,
        facts: [['mode', 'writeback']],
      }),
    });

    const known = find(await tree({ host: there }), 'vdd').content;
    forget();
    const after = find(await tree({ host: there }), 'vdd').content;

    expect(known).toMatchObject({ state: 'known', layer: 'bcache', overhead: 8192 });
    expect(known.facts).toEqual([{ name: 'mode', value: 'writeback' }]);
    expect(after.state).toBe('unknown');
  });

  it('is asked before the built-in ones, and refuses a second one of the same name', async () => {
    const layer = {
      name: 'mine',
      of: 'content',
      recognises: () => true,
      tell: async () => ({ unknown: ['everything'] }),
    } as const;
    const forget = registerLayer(layer);

    const made = await tree({ host: host() });

    expect(() => registerLayer(layer)).toThrow(UsageError);
    forget();
    expect(find(made, 'vg0/web1').content.layer).toBe('mine');
    expect(find(made, 'vg0/web1').unknown).toEqual(['everything']);
  });

  it('reports a layer that fails', async () => {
    const forget = registerLayer({
      ...{ name: 'broken', of: 'content' },
      recognises: ({ content }) => content?.type === 'ext4',
      tell: async ({ host: at }) =>
        at.run({
          tool: 'blkid',
          argv: ['-p', '-o', 'export', '/dev/none'],
          access: 'read',
          parse: () => ({}),
        }),
    });

    const made = await tree({ host: host() });

    forget();
    expect(find(made, 'vg0/web1').unknown).toEqual([expect.stringContaining('broken: blkid')]);
  });
});
