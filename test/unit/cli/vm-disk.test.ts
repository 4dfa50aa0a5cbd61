import { beforeEach, describe, expect, it, test } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { vm } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { readFile, statPath } from '../../../src/simulator/world/files.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { replicatedVolumes } from '../../support/undo/specimens/drbd.ts';
import { jsonOn, runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  await typed(
    'vm create web1 --source tar:/srv/root.tar --size 64m --swap 16m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd',
  );
  host.admin.writeFile('/etc/xen/web1.cfg', `# the shop\n${config()}`);
});

const typed = async (line: string, settings = {}) =>
  (await jsonOn(simulatedBofh({ host }), line, { yes: true, ...settings })).data;
const config = (): string => host.admin.readFile('/etc/xen/web1.cfg');
const volumes = (): readonly string[] =>
  host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();
const storageOf = (volume: string): string =>
  `lv:${host.world.lvm.flatMap(({ lvs }) => lvs).find(({ name }) => name === volume)?.uuid ?? ''}`;
const own = ['web1-root', 'web1-swap'];
const data = 'vm disk create web1 data --size 20m --vg vg0';

describe('bofh vm disk list', () => {
  const list = async () =>
    answers.vmDiskList
      .parse(await typed('vm disk list web1'))
      .map(({ disk, device, size, content, state }) => [disk, device, size, content, state]);
  const root = (state: string) => ['xvda', '/dev/vg0/web1-root', 64 * 1024 ** 2, 'ext4', state];
  const swap = (state: string) => ['xvdb', '/dev/vg0/web1-swap', 16 * 1024 ** 2, 'swap', state];

  it('shows size and content, and what the running guest has', async () => {
    expect(await list()).toEqual([root('off'), swap('off')]);

    await typed('vm start web1');
    expect(await list()).toEqual([root('attached'), swap('attached')]);
  });

  it('shows its own domain, and not that of another guest with its uuid', async () => {
    const uuid = /uuid = "(.*)"/.exec(config())?.[1] ?? '';
    host.admin.writeFile('/etc/xen/old.cfg', `name = 'old'\nuuid = '${uuid}'\nmemory = 64\n`);
    host.admin.startDomain({ name: 'old', uuid });
    expect(await list()).toEqual([root('off'), swap('off')]);

    host.admin.startDomain({ name: 'web1', uuid });
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 1 });
    expect(await typed('vm disk attach web1 /dev/vg0/other')).toMatchObject({ domid: 2, effective: 'now' });
  });

  it('shows a change of the configuration, and a disk that only the guest has', async () => {
    await typed('vm start web1');
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 1 });
    host.admin.writeFile('/srv/cd.iso', 'CD001');
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      config()
        .replace('/dev/vg0/web1-swap', '/dev/vg0/other')
        .replace(
          /disk = \[/,
          'disk = [ "/srv/a.qcow2,qcow2,xvdg,w", "drbd:shop,xvdd,w", "format=raw,vdev=xvde,access=ro,devtype=cdrom,target=", "/dev/vg0/none,raw,xvdf,w",',
        ),
    );

    // Its size and content are those of the image, not of the file.
    host.admin.writeFile('/srv/a.qcow2', 'QFI');
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }));
    await runVerb(runtime, 'vm show web1');

    expect(stdout()).toMatch(/^disk +xvdd drbd:shop$/m);
    expect(stdout()).toMatch(/^disk +xvde empty, read-only$/m);
    expect(await list()).toEqual([
      ['xvdg', '/srv/a.qcow2', null, null, 'next start'],
      ['xvdd', 'drbd:shop', null, null, 'next start'],
      ['xvde', '', null, null, 'next start'],
      ['xvdf', '/dev/vg0/none', null, null, 'next start'],
      root('attached'),
      ['xvdb', '/dev/vg0/other', 4 * 1024 ** 2, null, 'next start'],
      swap('until stop'),
    ]);
  });

  it('works for a disk that no snapshot of the guest has', async () => {
    await typed('vm snapshot create web1 old');
    await typed(data);
    await typed('vm disk detach web1 data');
    await typed('vm disk attach web1 /dev/vg0/web1-data');
    await typed('vm disk remove web1 data');

    expect(volumes()).toEqual([...own, 'web1-root-old', 'web1-swap-old'].toSorted());
    await typed('vm snapshot restore web1 old');
  });

  it('refuses a guest that xl does not show yet: what it has is unknown', async () => {
    host.admin.startDomain({ name: 'web1', state: 'paused', built: 'half-built' });

    expect(String(await rejectionOf(typed('vm disk list web1')))).toContain('xl list -l does not show');
    expect(String(await rejectionOf(typed('vm interface list web1')))).toContain('xl list -l does not show');
  });
});

describe('bofh vm disk', () => {
  test.each(['ext4', 'xfs', 'btrfs'])(
    'creates a volume with %s as the last disk of a guest that is off',
    async (fs) => {
      const size = fs === 'ext4' ? '20m' : '320m';
      const made = answers.vmDiskCreate.parse(
        await typed(`vm disk create web1 data --size ${size} --vg vg0 --fs ${fs}`),
      );

      expect(made).toMatchObject({ disk: 'xvdc', device: '/dev/vg0/web1-data', domid: null, fs });
      expect(config()).toContain('xvdb,w",\n  "phy:/dev/vg0/web1-data,xvdc,w",\n]');
      expect(config().startsWith('# the shop\n')).toBe(true);
      await typed('vm start web1');
      expect(await typed('vm show web1')).toMatchObject({ disks: [{}, {}, { device: 'xvdc' }] });
    },
  );

  describe('with --mount', () => {
    const mounted = `${data} --mount /srv/shop`;
    /** Edits the root of the guest, which is off. */
    const inRoot = (work: (at: string) => void): void => {
      host.admin.mkdir('/mnt');
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      work('/mnt');
      host.admin.umount('/mnt');
    };
    /** Its text, one character per byte. */
    const fstab = (): string => {
      let text = '';
      inRoot((at) => (text = Buffer.from(readFile(host.world, `${at}/etc/fstab`)).toString('latin1')));
      return text;
    };

    it('adds a line to the fstab of the guest, and changes no other byte', async () => {
      // Without a newline at its end, as an editor may leave it.
      inRoot((at) =>
        host.admin.writeFile(
          `${at}/etc/fstab`,
          // Not UTF-8 either: a plain text of ISO 8859-1.
          Buffer.from(`# für web1\n${host.admin.readFile(`${at}/etc/fstab`)}# end`, 'latin1'),
          0o600,
        ),
      );
      const before = fstab();

      const { uuid, mount } = answers.vmDiskCreate.parse(await typed(mounted));

      expect(mount).toBe('/srv/shop');
      inRoot((at) => expect(statPath(host.world, `${at}/etc/fstab`)?.mode).toBe(0o600));
      expect(fstab()).toBe(`${before}\nUUID=${uuid} /srv/shop ext4 defaults 0 2\n`);
      expect(host.world.mounts.filter(({ path }) => path.includes('bofh'))).toEqual([]);
      const { path, mounts } = answers.vmMount.parse(await typed('vm mount web1'));
      expect(mounts.map((each) => each.path)).toEqual([path, `${path}/srv/shop`]);
    });

    test.each<readonly [string, () => unknown, RegExp, RegExp]>([
      ['a guest that runs', () => typed('vm start web1'), /only while it is off/, /bofh vm stop web1/],
      [
        'a root without a UUID',
        () => host.admin.format('/dev/vg0/web1-root', { type: 'ext4', usage: 'filesystem' }),
        /has no UUID/,
        /tune2fs -U random \/dev\/vg0\/web1-root/,
      ],
      ['a guest that is mounted', () => typed('vm mount web1'), /web1 is mounted on/, /bofh vm unmount web1/],
      [
        'a place that its fstab mounts already',
        () => inRoot((at) => host.admin.writeFile(`${at}/etc/fstab`, 'tmpfs /srv tmpfs defaults 0 0\n')),
        /\/etc\/fstab of web1 mounts tmpfs on \/srv/,
        /edit that file in the guest/,
      ],
      [
        'a link in the place of the fstab',
        () =>
          inRoot((at) => {
            host.admin.removeFile(`${at}/etc/fstab`);
            host.admin.symlink(`${at}/etc/fstab`, 'fstab.mine');
          }),
        /\/etc\/fstab of web1 is not a regular file/,
        /add the line in the guest/,
      ],
      [
        'a directory with files',
        () =>
          inRoot((at) => {
            for (const path of ['/srv', '/srv/shop']) host.admin.mkdir(`${at}${path}`);
            host.admin.writeFile(`${at}/srv/shop/index.html`, 'x');
          }),
        /would hide srv\/shop\/index.html of the guest/,
        /empty in the guest/,
      ],
    ])('refuses %s, and changes nothing', async (_, prepare, says, remedy) => {
      await prepare();
      const before = host.snapshot();

      const error = (await rejectionOf(typed(mounted))) as BofhError;

      expect(error.message).toMatch(says);
      expect(error.remedy).toMatch(remedy);
      expect(host.snapshot()).toBe(before);
    });
  });

  describe('removed', () => {
    /** Edits the /etc/fstab of the guest, one character per byte. */
    const editFstab = (edit: (text: string, uuid: string) => string, uuid = ''): void => {
      host.admin.mkdir('/mnt');
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      const text = Buffer.from(readFile(host.world, '/mnt/etc/fstab')).toString('latin1');
      host.admin.writeFile('/mnt/etc/fstab', Buffer.from(edit(text, uuid), 'latin1'));
      host.admin.umount('/mnt');
    };
    const fstabNow = (): string => {
      let now = '';
      editFstab((text) => (now = text));
      return now;
    };
    const remove = async () => answers.vmDiskRemove.parse(await typed('vm disk remove web1 data'));

    test.each<readonly [string, (uuid: string) => string]>([
      ['its UUID', (uuid) => `UUID=${uuid} /srv ext4 defaults 0 2`],
      ['the path of its UUID', (uuid) => `/dev/disk/by-uuid/${uuid}\t/srv ext4 noatime`],
      ['its name in the guest', () => '/dev/xvdc /srv ext4 defaults 0 2'],
    ])('takes the line with %s out of the fstab of the guest, and no other byte', async (_, line) => {
      const { uuid } = answers.vmDiskCreate.parse(await typed(data));
      const rest = (text: string): string => `# f\xfcr web1\n${text}LABEL=data /old ext4 noauto\n# end`;
      editFstab((text) => `${line(uuid)}\n${rest(text)}\n${line(uuid)}`);
      const before = fstabNow();

      expect(await remove()).toMatchObject({ disk: 'xvdc', fstab: [line(uuid), line(uuid)], unread: null });

      expect(`${line(uuid)}\n${fstabNow()}${line(uuid)}`).toBe(before);
    });

    it('says that the guest has no line for it', async () => {
      await typed(data);
      const before = fstabNow();

      expect(await remove()).toMatchObject({ fstab: [], unread: null });

      expect(fstabNow()).toBe(before);
    });

    test.each<readonly [string, (at: string) => void, RegExp]>([
      [
        'a link',
        (at) => {
          host.admin.removeFile(`${at}/etc/fstab`);
          host.admin.symlink(`${at}/etc/fstab`, 'fstab.mine');
        },
        /\/etc\/fstab of web1 is not a regular file/,
      ],
      [
        'a line that cannot be parsed',
        (at) => host.admin.writeFile(`${at}/etc/fstab`, '/dev/xvdc /srv\n'),
        /\/etc\/fstab of web1: line 1 could not be parsed/,
      ],
      [
        'a line that matches two disks',
        (at) => {
          const { superblock } = host.world.live.get(storageOf('web1-data')) ?? {};
          host.admin.format('/dev/vg0/web1-swap', { ...superblock, type: 'ext4', usage: 'filesystem' });
          host.admin.writeFile(`${at}/etc/fstab`, `UUID=${superblock?.uuid ?? ''} /srv ext4 defaults 0 2\n`);
        },
        /matches both xvdb and xvdc/,
      ],
    ])('is removed although the fstab has %s, which the answer says', async (_, prepare, says) => {
      await typed(data);
      host.admin.mkdir('/mnt');
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      prepare('/mnt');
      host.admin.umount('/mnt');
      const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });

      await runVerb(runtime, 'vm disk remove web1 data');

      expect(stdout()).toMatch(/if the \/etc\/fstab of the guest has a line for it, remove the line there/);
      expect(stdout()).toMatch(says);
      expect(volumes()).toEqual(own);
    });

    it('is refused while the guest is mounted here, and changes nothing', async () => {
      await typed(data);
      await typed('vm mount web1');
      const before = host.snapshot();

      const error = (await rejectionOf(typed('vm disk remove web1 data'))) as BofhError;

      expect(error.message).toMatch(/web1 is mounted on /);
      expect(error.remedy).toContain('bofh vm unmount web1');
      expect(host.snapshot()).toBe(before);
    });

    it('is not removed if the program that reads the fstab is killed', async () => {
      await typed(data);
      const before = host.snapshot();
      host.fault({ tool: 'debugfs', access: 'read', mode: 'acts then killed', times: 100 });

      await rejectionOf(typed('vm disk remove web1 data'));

      expect(host.snapshot()).toBe(before);
    });

    it('needs a root with a UUID only if there is a line to remove', async () => {
      const { uuid } = answers.vmDiskCreate.parse(await typed(data));
      editFstab((text) => `${text}UUID=${uuid} /srv ext4 defaults 0 2\n`);
      const storage = storageOf('web1-root');
      const { superblock, ...more } = host.world.live.get(storage) ?? {};
      const { uuid: _, ...without } = superblock ?? { type: 'ext4', usage: 'filesystem' };
      host.world.live.set(storage, { ...more, superblock: without });

      const error = (await rejectionOf(typed('vm disk remove web1 data'))) as BofhError;

      expect(error.message).toMatch(/has no UUID/);
      expect(error.remedy).toContain('tune2fs -U random /dev/vg0/web1-root');
      expect(volumes()).toContain('web1-data');
    });
  });

  test.each(['detach', 'remove'])(
    '%s restores the configuration from before, byte for byte',
    async (verb) => {
      const before = config();
      await typed(data);

      expect(await typed(`vm disk ${verb} web1 data`)).toMatchObject({ disk: 'xvdc' });

      expect(config()).toBe(before);
      expect(volumes()).toEqual(verb === 'remove' ? own : ['web1-data', ...own]);
    },
  );

  it('attaches the device that was detached, under the first free name', async () => {
    await typed(data);
    await typed('vm disk detach web1 xvdb');

    const { disk } = answers.vmDisk.parse(await typed('vm disk attach web1 /dev/vg0/web1-swap'));

    expect(disk).toBe('xvdb');
    expect(config()).toMatch(/web1-data,xvdc,w",\n {2}"phy:\/dev\/vg0\/web1-swap,xvdb,w",\n\]/);
  });

  it('gives a running guest the disk at once, and takes it away only with --now', async () => {
    await typed('vm start web1');
    const given = () => host.world.domains[0]?.disks.map(({ vdev }) => vdev);

    expect(await typed(data)).toMatchObject({ disk: 'xvdc', effective: 'now' });
    expect(given()).toEqual(['xvda', 'xvdb', 'xvdc']);

    expect(await typed('vm disk detach web1 data')).toMatchObject({ effective: 'next start' });
    expect(given()).toContain('xvdc');
    await typed('vm disk detach web1 xvdb --now');
    expect(given()).toEqual(['xvda', 'xvdc']);

    // The guest still has the name that is free in its configuration.
    const again = await typed('vm disk attach web1 /dev/vg0/web1-swap');
    expect(again).toMatchObject({ disk: 'xvdb', effective: 'now' });
    expect(given()).toEqual(['xvda', 'xvdc', 'xvdb']);
  });

  it('does not take away another device that the running guest has under the name of the disk', async () => {
    await typed('vm start web1');
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 1 });
    host.admin.writeFile('/etc/xen/web1.cfg', config().replace('/dev/vg0/web1-swap', '/dev/vg0/other'));
    const before = host.snapshot();

    expect(await rejectionOf(typed('vm disk detach web1 xvdb --now'))).toMatchObject({
      code: 'differs',
      message: expect.stringMatching(/xvdb .* is \/dev\/vg0\/other in .*web1-swap there/) as string,
    });
    expect(host.snapshot()).toBe(before);
  });

  it('changes the configuration alone of a guest that is paused, and says so', async () => {
    await typed('vm start web1');
    await typed('vm pause web1');
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { yes: true });

    await runVerb(runtime, data);

    expect(stdout()).toContain('it takes effect at its next start (bofh vm restart web1)');
    expect(host.world.domains[0]?.disks).toHaveLength(2);
    expect((await rejectionOf(typed('vm disk detach web1 data --now'))) as Error).toMatchObject({
      message: expect.stringMatching(/paused, so no disk can be detached from it now/) as string,
    });
  });

  it('names the volume, its size and its uuid before it removes a disk', async () => {
    await typed(data);
    const { runtime, stderr } = testRuntime(simulatedBofh({ host }), {}, ['n']);

    await rejectionOf(runVerb(runtime, 'vm disk remove web1 data'));

    expect(stderr()).toMatch(
      /xvdc of web1 \(vg0\/web1-data, 20 MiB, uuid \S+\) will be removed with all its data/,
    );
    expect(volumes()).toContain('web1-data');
  });

  test.each<readonly [string, () => unknown, string, RegExp]>([
    ['a name that is taken', () => typed(data), data, /there is a logical volume vg0\/web1-data already/],
    ['too little room', () => undefined, 'vm disk create web1 data --size 9g --vg vg0', /are needed/],
    [
      'a name for the root',
      () => undefined,
      'vm disk create web1 root --size 20m --vg vg0',
      /root, swap, hda to hdd, and xvd… are reserved/,
    ],
    [
      'an unknown guest',
      () => undefined,
      'vm disk create web9 data --size 20m --vg vg0',
      /no guest web9 is configured/,
    ],
    [
      'a device that is mounted here, for a guest that is off',
      () => {
        host.admin.lvcreate({ vg: 'vg0', name: 'own', extents: 4 });
        host.admin.format('/dev/vg0/own', { type: 'ext4', usage: 'filesystem', uuid: 'u', version: '1.0' });
        host.admin.mkdir('/mnt/own');
        host.admin.mount('/dev/vg0/own', '/mnt/own');
      },
      'vm disk attach web1 /dev/vg0/own',
      /\/dev\/vg0\/own is in use: mounted on \/mnt\/own/,
    ],
    ['an unknown disk', () => undefined, 'vm disk detach web1 xvdz', /has no disk xvdz/],
    ['the root', () => undefined, 'vm disk remove web1 xvda', /xvda is the root of web1/],
    [
      'a disk of a running guest',
      () => typed('vm start web1'),
      'vm disk remove web1 xvdb',
      /its disk xvdb is in use/,
    ],
    [
      'a disk in a snapshot',
      () => typed('vm snapshot create web1 old'),
      'vm disk detach web1 xvdb',
      /web1 has snapshots with the disk xvdb: old/,
    ],
    [
      'a disk in a snapshot that has another path now',
      async () => {
        await typed('vm snapshot create web1 old');
        const edited = config().replace('/dev/vg0/web1-swap', '/dev/mapper/vg0-web1--swap');
        host.admin.writeFile('/etc/xen/web1.cfg', edited);
      },
      'vm disk detach web1 xvdb',
      /web1 has snapshots with the disk xvdb: old/,
    ],
    [
      'a disk, while a snapshot cannot be read',
      async () => {
        await typed('vm snapshot create web1 old');
        host.admin.writeFile('/var/lib/bofh/snapshots/web1@new.json', '{', 0o600);
      },
      'vm disk detach web1 xvdb',
      /web1 has snapshots: new, old/,
    ],
    [
      'a disk that it has',
      () => undefined,
      'vm disk attach web1 /dev/mapper/vg0-web1--swap',
      /is a disk of the guest web1 already/,
    ],
    [
      'a device in a configuration that cannot be read',
      () => {
        host.admin.lvcreate({ vg: 'vg0', name: 'spare', extents: 2 });
        host.admin.writeFile('/etc/xen/web2.cfg', "name = web2\ndisk = ['phy:/dev/vg0/spare,xvda,w']\n");
      },
      'vm disk attach web1 /dev/vg0/spare',
      /is a disk of \/etc\/xen\/web2.cfg/,
    ],
    ['a missing device', () => undefined, 'vm disk attach web1 /dev/vg0/none', /there is no device/],
    [
      'a file',
      () => host.admin.writeFile('/srv/x.img', 'x'.repeat(2 ** 20)),
      'vm disk attach web1 /srv/x.img',
      /is a file, not a block device/,
    ],
    [
      'the removal of a disk that is no logical volume',
      () => host.admin.writeFile('/etc/xen/web1.cfg', config().replace('/dev/vg0/web1-swap', '/dev/drbd0')),
      'vm disk remove web1 xvdb',
      /is \/dev\/drbd0, which is not a logical volume/,
    ],
    [
      'a disk for a guest that has 26',
      () => {
        const more = Array.from({ length: 24 }, (_each, at) => `xvd${String.fromCharCode(99 + at)}`);
        const disks = more.map((vdev) => `disk += ["phy:/dev/vg0/${vdev},${vdev},w"]\n`);
        host.admin.writeFile('/etc/xen/web1.cfg', `${config()}${disks.join('')}`);
      },
      data,
      /has a disk for every name/,
    ],
  ])('refuses %s, and changes nothing', async (_, prepare, line, says) => {
    await prepare();
    const before = host.snapshot();

    const error = (await rejectionOf(typed(line))) as BofhError;

    expect(error.message).toMatch(says);
    expect(host.snapshot()).toBe(before);
  });

  it('refuses to remove another volume than the one that was confirmed', async () => {
    await typed(data);

    const error = await rejectionOf(
      withBofh(simulatedBofh({ host }), () => vm.removeDisk('web1', 'data', { uuid: 'x' })),
    );

    expect(String(error)).toContain('is another volume now');
    expect(volumes()).toContain('web1-data');
  });

  it.each(['phy:/dev/drbd0', 'drbd:web1'])(
    'refuses a disk without a replica for a guest with the disk %s',
    async (to) => {
      host.admin.writeFile('/etc/xen/web1.cfg', config().replace('phy:/dev/vg0/web1-root', to));

      const error = (await rejectionOf(typed(data))) as BofhError;

      expect(error.message).toContain('the guest could no longer be moved to the other host');
      expect(error.remedy).toContain('bofh vm disk attach web1 /dev/drbdN');
    },
  );

  it('refuses the device of a resource that another guest names as its disk', async () => {
    host = simulatedHost();
    replicatedVolumes(host, 'primary');
    const text = (name: string, disk: string): string =>
      `name = "${name}"\nmemory = 128\nkernel = "/vmlinuz"\ndisk = ["${disk},xvda,w"]\n`;
    host.admin.writeFile('/etc/xen/web1.cfg', text('web1', 'phy:/dev/vg0/other'));
    host.admin.writeFile('/etc/xen/web2.cfg', text('web2', 'drbd:web1'));

    const error = (await rejectionOf(typed('vm disk attach web1 /dev/drbd3'))) as BofhError;

    expect(error.message).toContain('/dev/drbd3 is a disk of the guest web2 already, in /etc/xen/web2.cfg');
  });
});
