import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { BofhError, RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { Mounted, NestedMounted } from '../../../src/api/mount.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { withUnreadable } from '../blockdevice/unreadable.ts';

/** Three volumes with a filesystem: `root` with a system of directories, `home` and `boot`. */
function stage(fstab = '', udev: 'running' | 'absent' = 'running'): SimulatedHost {
  const host = simulatedHost({ udev });
  const { admin } = host;
  for (const [index, name] of ['root', 'home', 'boot'].entries()) {
    admin.lvcreate({ vg: 'vg0', name, extents: 4 });
    const uuid = `5e1f0000-0000-4000-8000-00000000000${String(index)}`;
    admin.format(`/dev/vg0/${name}`, {
      type: 'ext4',
      usage: 'filesystem',
      uuid,
      label: `my ${name}`,
      version: '1.0',
    });
  }
  admin.mkdir('/mnt/fill');
  admin.mount('/dev/vg0/root', '/mnt/fill');
  for (const path of ['home', 'boot', 'data', 'etc']) admin.mkdir(`/mnt/fill/${path}`);
  admin.writeFile('/mnt/fill/etc/fstab', fstab);
  admin.umount('/mnt/fill');
  admin.mkdir('/mnt/tree');
  return host;
}

const on = <T>(host: SimulatedHost, work: () => Promise<T>): Promise<T> =>
  withBofh(simulatedBofh({ host }), work);
const places = (host: SimulatedHost): readonly string[] =>
  host.world.mounts
    .filter(({ source }) => source.startsWith('/dev/') && source !== '/dev/vda')
    .map(({ source, path, options }) => `${source} ${path} ${options.split(',')[0] ?? ''}`);

describe('a scoped mount', () => {
  it('lasts while the body runs, on its own directory, and returns its value', async () => {
    const host = stage();
    const value = await on(host, () =>
      new Mounted('/dev/vg0/root').with(async (path) => {
        expect(places(host)).toEqual([`/dev/dm-0 ${path} rw`]);
        expect(path).toMatch(/^\/run\/bofh\/mnt\//);
        return 5;
      }),
    );
    expect(value).toBe(5);
    expect(places(host)).toEqual([]);
  });

  it('has the given options, and is unmounted when the body fails, whose error is thrown', async () => {
    const host = stage();
    const request = {
      device: '/dev/vg0/root',
      path: '/mnt/tree',
      mode: 'ro',
      options: { nodev: true },
    } as const;
    const failure = on(host, () =>
      new Mounted(request).with(async () => {
        expect(host.world.mounts.at(-1)?.options).toBe('ro,nodev,relatime');
        throw new TypeError('of the body');
      }),
    );
    await expect(failure).rejects.toThrow(new TypeError('of the body'));
    expect(places(host)).toEqual([]);
  });

  it('lasts until it is released, once, or disposed', async () => {
    const host = stage();
    await on(host, async () => {
      const held = await new Mounted({ bind: '/etc', path: '/mnt/tree', mode: 'ro' }).mount();
      expect(host.world.mounts.at(-1)).toMatchObject({ path: '/mnt/tree', root: '/etc' });
      await held.release();
      await held[Symbol.asyncDispose]();
    });
    expect(host.world.mounts.some(({ path }) => path === '/mnt/tree')).toBe(false);
  });

  it('fails at the call when it cannot be mounted', async () => {
    const host = stage();
    await expect(on(host, () => new Mounted('/dev/vg0/none').mount())).rejects.toThrow(BofhError);
  });

  it('may be used inside a sequence, and is no part of it', async () => {
    const host = stage();
    await on(host, () =>
      atomic('outer', () =>
        new Mounted('/dev/vg0/root').with(async () => expect(places(host)).toHaveLength(1)),
      ),
    );
    expect(places(host)).toEqual([]);
  });

  it('of a killed process is unmounted by recovery', async () => {
    const host = stage();
    void on(host, () => new Mounted('/dev/vg0/root').with(() => new Promise(() => undefined)));
    await expect.poll(() => places(host).length).toBe(1);
    host.kill();
    const next = host.restart();
    const { engine } = simulatedBofh({ host: next });
    const { recover } = await import('../../../src/atomic/recovery/recover.ts');
    const [id = ''] = engine.store
      .names('.')
      .flatMap((name) => /^(?<id>.+)\.journal$/.exec(name)?.groups?.id ?? []);
    expect((await recover(id, { engine, yes: true })).end).toBe('rolled-back');
    expect(places(next)).toEqual([]);
  });
});

describe('a tree of mounts from a list', () => {
  const tree = [
    { device: '/dev/vg0/boot', path: '/mnt/tree/boot', mode: 'ro' },
    { device: '/dev/vg0/root', path: '/mnt/tree' },
    { device: '/dev/vg0/home', path: '/mnt/tree/home/' },
  ] as const;

  it('is mounted with shorter paths first, and unmounted completely', async () => {
    const host = stage();
    await on(host, () =>
      new NestedMounted(tree).with(async (root) => {
        expect(root).toBe('/mnt/tree');
        expect(places(host)).toEqual([
          '/dev/dm-0 /mnt/tree rw',
          '/dev/dm-2 /mnt/tree/boot ro',
          '/dev/dm-1 /mnt/tree/home rw',
        ]);
      }),
    );
    expect(places(host)).toEqual([]);
  });

  it('is unmounted when one part fails; the body does not run', async () => {
    const host = stage();
    const bad = [...tree, { device: '/dev/vg0/none', path: '/mnt/tree/data' }];
    let ran = false;
    const failure = on(host, () =>
      new NestedMounted(bad).with(async () => {
        ran = true;
      }),
    );
    await expect(failure).rejects.toThrow(RolledBackError);
    await expect(failure).rejects.toThrow('/dev/vg0/none');
    expect(ran).toBe(false);
    expect(places(host)).toEqual([]);
  });

  it('follows no symbolic link of the tree, which would lead to this host', async () => {
    const host = stage();
    host.admin.mount('/dev/vg0/root', '/mnt/fill');
    host.admin.symlink('/mnt/fill/srv', '/srv');
    host.admin.umount('/mnt/fill');
    const bad = [...tree, { device: '/dev/vg0/boot', path: '/mnt/tree/srv' }].slice(1);
    await expect(on(host, () => new NestedMounted(bad).mount())).rejects.toThrow(
      '/mnt/tree/srv is a symlink',
    );
    expect(places(host)).toEqual([]);
  });

  it.each([
    ['nothing', []],
    ['two at one place', [...tree, { device: '/dev/vg0/home', path: '/mnt//tree' }]],
    ['a path that is not whole', [{ device: '/dev/vg0/home', path: 'mnt' }]],
  ])('is refused with %s', (_, list) => {
    expect(() => new NestedMounted(list)).toThrow(UsageError);
  });
});

describe('a tree of mounts from the fstab of a root', () => {
  const fstab = `# of a guest
/dev/xvda1 / ext4 errors=remount-ro 0 1
/dev/xvda2 none swap sw 0 0
/dev/xvda3\t/home ext4 defaults,noatime,nofail 0 2
/dev/xvda4 /data ext4 nofail,ro 0 2
UUID=5e1f0000-0000-4000-8000-000000000002 /boot ext4 ro,nodev,x-systemd.automount 0 2
/dev/sdz1 /backup ext4 noauto 0 0
tmpfs /tmp tmpfs defaults 0 0
nas:/export /srv nfs defaults 0 0
`;
  const root = { device: '/dev/vg0/root', path: '/mnt/tree', devices: { '/dev/xvda3': '/dev/vg0/home' } };

  it('mounts devices by their names on this host, and leaves out optional missing ones', async () => {
    const host = stage(fstab);
    await on(host, () =>
      new NestedMounted(root).with(async () => {
        expect(places(host)).toEqual([
          '/dev/dm-0 /mnt/tree rw',
          '/dev/dm-1 /mnt/tree/home rw',
          '/dev/dm-2 /mnt/tree/boot ro',
        ]);
        expect(host.world.mounts.at(-1)?.options).toBe('ro,nodev,relatime');
        expect(host.world.mounts.at(-2)?.options).toBe('rw,noatime');
      }),
    );
    expect(places(host)).toEqual([]);
  });

  describe.each(['running', 'absent'] as const)('on a host with udev %s', (udev) => {
    it.each([
      String.raw`LABEL=my\040home`,
      String.raw`LABEL="my\040home"`,
      'UUID="5e1f0000-0000-4000-8000-000000000001"',
    ])('mounts an optional device that exists: %s', async (source) => {
      const host = stage(`${source} /home ext4 nofail 0 2\nLABEL=none /data ext4 nofail 0 2\n`, udev);
      await on(host, () =>
        new NestedMounted(root).with(async () => {
          expect(places(host)).toEqual(['/dev/dm-0 /mnt/tree rw', '/dev/dm-1 /mnt/tree/home rw']);
        }),
      );
    });
  });

  it('refuses an ambiguous device without udev', async () => {
    const host = stage(String.raw`LABEL=my\040home /home ext4 nofail 0 2` + '\n', 'absent');
    host.admin.lvcreate({ vg: 'vg0', name: 'copy', extents: 4 });
    const uuid = '5e1f0000-0000-4000-8000-000000000009';
    const copy = { type: 'ext4', usage: 'filesystem', uuid, label: 'my home', version: '1.0' } as const;
    host.admin.format('/dev/vg0/copy', copy);
    await expect(on(host, () => new NestedMounted(root).mount())).rejects.toThrow('more than one device');
    expect(places(host)).toEqual([]);
  });

  it('is read-only as a whole on request', async () => {
    const host = stage(fstab);
    await on(host, () =>
      new NestedMounted({ ...root, mode: 'ro' }).with(async () => {
        expect(places(host).every((place) => place.endsWith(' ro'))).toBe(true);
      }),
    );
  });

  it('is not mounted partly when a required device is missing', async () => {
    const host = stage('/dev/xvda9 /home ext4 defaults 0 2\n');
    const failure = on(host, () => new NestedMounted(root).mount());
    await expect(failure).rejects.toThrow('/dev/xvda9');
    expect(places(host)).toEqual([]);
  });

  it('is refused when a line cannot be parsed, or the fstab is missing or a link', async () => {
    const host = stage('/dev/xvda9 /home\n');
    await expect(on(host, () => new NestedMounted(root).mount())).rejects.toThrow(
      '/mnt/tree/etc/fstab: line 1 could not be parsed',
    );
    await expect(on(host, () => new NestedMounted({ ...root, fstab: '/etc/none' }).mount())).rejects.toThrow(
      'the other mounts of this root are unknown',
    );
    host.admin.mount('/dev/vg0/root', '/mnt/fill');
    host.admin.symlink('/mnt/fill/etc/link', '/etc/fstab');
    host.admin.umount('/mnt/fill');
    const linked = on(host, () => new NestedMounted({ ...root, fstab: '/etc/link' }).mount());
    await expect(linked).rejects.toThrow(RolledBackError);
    await expect(linked.catch((error: unknown) => (error as Error).cause)).resolves.toBeInstanceOf(
      RefusedError,
    );
    expect(places(host)).toEqual([]);
  });
});

describe('a snapshot of an xfs that is mounted', () => {
  const uuid = '5e1f0000-0000-4000-8000-0000000000aa';
  const second = (options?: readonly string[]) =>
    ({ device: '/dev/vg0/look', path: '/mnt/tree', mode: 'ro', ...(options && { options }) }) as const;
  const xfs = (): SimulatedHost => {
    const host = stage();
    for (const name of ['data', 'look']) {
      host.admin.lvcreate({ vg: 'vg0', name, extents: 4 });
      host.admin.format(`/dev/vg0/${name}`, { type: 'xfs', usage: 'filesystem', uuid });
    }
    host.admin.mount('/dev/vg0/data', '/mnt/fill');
    return host;
  };

  it('is not mounted without nouuid, which the error names', async () => {
    const host = xfs();
    const mounting = on(host, () => atomic('look', (tx) => tx.mount.mount(second())));
    await expect(mounting).rejects.toMatchObject({
      message: expect.stringMatching(/holds an xfs with the uuid 5e1f.* mounted on \/mnt\/fill/) as string,
      remedy: expect.stringContaining("options: ['nouuid']") as string,
    });
    expect(host.changes).toEqual([]);
  });

  it('is left to mount(8) if the mounted one cannot be read', async () => {
    const host = withUnreadable(xfs(), '/dev/dm-3');
    await withBofh(simulatedBofh({ host }), () => atomic('look', (tx) => tx.mount.mount(second())));
  });

  it('is mounted with nouuid, or when the other is not mounted', async () => {
    const host = xfs();
    await on(host, () => atomic('look', (tx) => tx.mount.mount(second(['nouuid']))));
    host.admin.umount('/mnt/tree');
    host.admin.umount('/mnt/fill');
    await on(host, () => atomic('look', (tx) => tx.mount.mount(second())));
    expect(host.world.mounts.at(-1)).toMatchObject({ path: '/mnt/tree' });
  });
});
