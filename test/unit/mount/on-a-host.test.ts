import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const device = '/dev/vg0/web1';
const uuid = '5e1f0000-0000-4000-8000-000000000001';

function start(): SimulatedHost {
  const host = simulatedHost();
  const { admin } = host;
  admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  for (const path of ['/mnt/web1', '/mnt/shown', '/mnt/there']) admin.mkdir(path);
  admin.lvcreate({ vg: 'vg0', name: 'old', extents: 4 });
  admin.format('/dev/vg0/old', {
    type: 'ext4',
    usage: 'filesystem',
    uuid: uuid.replace(/1$/, '2'),
    version: '1.0',
  });
  admin.mount('/dev/vg0/old', '/mnt/there');
  return host;
}

let host: SimulatedHost;
beforeEach(() => {
  host = start();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('mounts', body));
const line = { source: `UUID=${uuid}`, target: '/mnt/web1', type: 'ext4', options: ['nodev'] } as const;

/** What a sequence may do around mounts and tables, each to its end. */
const bodies: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
  [
    'its own mount, unmounted and mounted again',
    async (tx) => {
      await tx.mount.mount({ device, path: '/mnt/web1', mode: 'rw' });
      await tx.mount.unmount({ path: '/mnt/web1' });
      await tx.mount.mount({ device, path: '/mnt/web1', mode: 'ro' });
    },
  ],
  [
    'a volume made, formatted, mounted, shown elsewhere, and in the table',
    async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'new', size: '16m' });
      await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      const { path } = await tx.mount.mount({ device: lv.path, path: '/mnt/web1', mode: 'rw' });
      await tx.mount.bind({ source: path, path: '/mnt/shown', mode: 'ro' });
      await tx.mount.addFstab({ source: lv.path, target: '/mnt/web1', type: 'ext4' });
    },
  ],
  [
    "the administrator's mount moved to another place, with its line",
    async (tx) => {
      await tx.mount.addFstab({ source: '/dev/vg0/old', target: '/mnt/there', type: 'ext4' });
      await tx.mount.unmount({ path: '/mnt/there' });
      await tx.mount.changeFstab({ of: '/mnt/there', to: { target: '/mnt/shown' } });
      await tx.mount.mount({ device: '/dev/vg0/old', path: '/mnt/shown', mode: 'rw' });
    },
  ],
  [
    'a line added, changed twice and taken out again',
    async (tx) => {
      await tx.mount.addFstab(line);
      await tx.mount.changeFstab({ of: '/mnt/web1', to: { pass: 2 } });
      await tx.mount.changeFstab({ of: '/mnt/web1', to: { options: ['nofail'] } });
      await tx.mount.removeFstab({ of: '/mnt/web1' });
    },
  ],
  [
    'a table that is new, with two lines, of which the first goes',
    async (tx) => {
      await tx.mount.addCrypttab({ name: 'a', device, key: 'none' });
      await tx.mount.addCrypttab({ name: 'b', device, key: 'none' });
      await tx.mount.removeCrypttab({ name: 'a' });
    },
  ],
];

describe.each(bodies)('%s', (_title, body) => {
  test('is all undone when the sequence fails afterwards, and nothing is left behind', async () => {
    await expectUndone(host, () => does(async (tx) => [await body(tx), await failNow()]));
  });

  test('is all undone, or all done, by recovery from a kill at any point', async () => {
    await expectRecovery({ start, work: (on) => does(body, on), moreThan: 2 });
  });
});

test('a foreign mount in the place of an unmounted one stays, and is reported', async () => {
  const error = await failureOf(
    does(async (tx) => {
      await tx.mount.unmount({ path: '/mnt/there' });
      host.admin.mount(device, '/mnt/there');
      await failNow();
    }),
  );

  expect(error).toBeInstanceOf(RolledBackError);
  expect((error as RolledBackError).leftUntouched.join()).toContain('is mounted there now');
  expect(host.world.mounts.filter(({ path }) => path === '/mnt/there').map(({ source }) => source)).toEqual([
    device,
  ]);
});

describe('a mount of the sequence that others have moved', () => {
  const moves = (path: string | undefined, how: 'moved' | 'renamed') =>
    failureOf(
      does(async (tx) => {
        const made = await tx.mount.mount({ device, mode: 'rw', ...(path === undefined ? {} : { path }) });
        host.admin.moveMount(made.path, '/mnt/shown', how);
        await failNow();
      }),
    );
  const isMounted = () => host.world.mounts.some(({ path }) => path === '/mnt/shown');

  test.each([
    ['on a directory of the administrator', '/mnt/web1'],
    ['on a private directory', undefined],
  ])('by mount --move is unmounted there: %s', async (_, path) => {
    const before = host.snapshot();
    expect(await moves(path, 'moved')).toBeInstanceOf(RolledBackError);

    expect(isMounted()).toBe(false);
    expect(host.snapshot()).toBe(before);
  });

  test('by renaming a directory above it is reported', async () => {
    const error = await moves('/mnt/web1', 'renamed');

    expect((error as RolledBackError).leftUntouched.join()).toMatch(
      /a directory above \/mnt\/web1 was renamed: \S+ mounted on \/mnt\/shown \(mount \d+\)/,
    );
    expect(isMounted()).toBe(true);
  });
});

test('foreign lines that were added meanwhile survive the undo of ours', async () => {
  await failureOf(
    does(async (tx) => {
      await tx.mount.addFstab(line);
      host.admin.writeFile(
        '/etc/fstab',
        `# mine\n${host.admin.readFile('/etc/fstab')}tmpfs /tmp tmpfs defaults 0 0\n`,
      );
      await tx.mount.changeFstab({ of: '/mnt/web1', to: { pass: 2 } });
      await failNow();
    }),
  );

  expect(host.admin.readFile('/etc/fstab')).toBe(
    '# mine\n/dev/vda / ext4 defaults 0 1\ntmpfs /tmp tmpfs defaults 0 0\n',
  );
});

test('the undo of an unmount does not follow a link that others put in its place', async () => {
  const error = await failureOf(
    does(async (tx) => {
      await tx.mount.unmount({ path: '/mnt/there' });
      host.admin.rename('/mnt/there', '/mnt/before');
      host.admin.symlink('/mnt/there', '/mnt/shown');
      await failNow();
    }),
  );

  expect(error).toBeInstanceOf(StuckError);
  expect(String(error)).toContain(
    '/mnt/there leads to /mnt/shown now, so /dev/vg0/old was not mounted again',
  );
  expect(host.world.mounts.some(({ path }) => path === '/mnt/shown')).toBe(false);
});

test('after a reboot recovery does not undo an unmount', async () => {
  host.fault({ tool: 'umount', mode: 'acts then crash' });
  await failureOf(does((tx) => tx.mount.unmount({ path: '/mnt/there' })));
  host.clearFaults();
  const next = host.reboot();

  await recoverAll(next);

  expect(next.world.mounts.some(({ path }) => path === '/mnt/there')).toBe(false);
  expect(await openJournals(bofhOn(next).engine)).toEqual([]);
});

test('after a reboot another filesystem is not taken for the directory that was bound there', async () => {
  await failureOf(
    does(async (tx) => {
      await tx.mount.bind({ source: '/mnt/there', path: '/mnt/shown', mode: 'rw' });
      await tx.file.create({ path: '/mnt/shown/new', content: 'new' });
      host.kill();
    }),
  );
  const next = host.reboot();
  next.admin.mount('/dev/vg0/old', '/mnt/there');
  next.admin.mount(device, '/mnt/shown');

  await expect(recoverAll(next)).rejects.toThrow(/is not mounted on \/mnt\/shown any more/);

  expect(await openJournals(bofhOn(next).engine)).toHaveLength(1);
});

test('a mount that another one hides, at a directory above it, stays, and the error names that one', async () => {
  host.admin.mkdir('/mnt/there/deep');

  const error = await failureOf(
    does(async (tx) => {
      await tx.mount.mount({ device, path: '/mnt/there/deep', mode: 'rw' });
      host.admin.mount('/dev/vda', '/mnt/there');
      await failNow();
    }),
  );

  expect(error).toMatchObject({
    code: 'stuck',
    blocked: [
      {
        why: expect.stringMatching(
          /\/dev\/vda mounted on \/mnt\/there \(mount \d+\), which hides it/,
        ) as string,
      },
    ],
  });
});

test('a table that is a link to a missing file is refused, and the remedy creates no directory', async () => {
  host.admin.symlink('/etc/crypttab', '/srv/none');

  const failure = await failureOf(does((tx) => tx.mount.addCrypttab({ name: 'a', device, key: 'none' })));

  expect(failure).toMatchObject({
    message: '/etc/crypttab is a symbolic link to a file that does not exist',
    remedy: expect.stringContaining('readlink /etc/crypttab') as string,
  });
});

test('the line of the root filesystem is neither removed nor given another mount point', async () => {
  const before = host.snapshot();
  for (const edit of [
    (tx: Tx) => tx.mount.removeFstab({ of: '/' }),
    (tx: Tx) => tx.mount.changeFstab({ of: '/', to: { target: '/mnt/web1' } }),
    (tx: Tx) => tx.mount.changeFstab({ of: '/', to: { target: 'none', type: 'swap' } }),
  ])
    expect(await failureOf(does(edit))).toMatchObject({
      message: expect.stringMatching(/^the line of the root filesystem cannot /) as string,
    });
  expect(host.snapshot()).toBe(before);
});

test('no password of a table is written to the journal', async () => {
  host.admin.writeFile(
    '/etc/fstab',
    '//nas/x /srv cifs password=geheim 0 0\n/dev/vg0/old /mnt/there ext4 defaults 0 2\n//nas/y /y cifs pass=geheim 0 0\n',
  );
  const { store } = bofhOn(host).engine;
  await failureOf(
    does(async (tx) => {
      await tx.mount.removeFstab({ of: '/mnt/there' });
      const open = store.names('.').filter((name) => name.endsWith('.journal'));
      for (const name of open) {
        const file = store.open(name);
        expect(new TextDecoder().decode(file?.read())).not.toContain('geheim');
        file?.close();
      }
      expect(open).toHaveLength(1);
      await failNow();
    }),
  );
  expect(host.admin.readFile('/etc/fstab')).toContain('/dev/vg0/old /mnt/there ext4 defaults 0 2\n//nas/y');
});

test.each(['/', '/proc', '/run'])('%s is not unmounted, and no command to do so is printed', async (path) => {
  const failure = await failureOf(does((tx) => tx.mount.unmount({ path })));

  expect(failure).toMatchObject({
    message: expect.stringMatching(/of this host cannot be unmounted$/) as string,
    remedy: 'see the other mounts: bofh mount list',
  });
});

describe('a private directory', () => {
  const mnt = '/run/bofh/mnt';
  const left = (): Promise<readonly string[]> => host.readDir(mnt);

  test('is removed with its mount: scoped, undone, or unmounted by a later sequence', async () => {
    await does(async (tx) => {
      await tx.temporary.mount.mount({ device, mode: 'ro' });
    });
    expect(await left()).toEqual([]);

    await does(async (tx) => {
      await tx.mount.mount({ device, mode: 'ro' });
      await failNow();
    }).catch(() => undefined);
    expect(await left()).toEqual([]);

    let path = '';
    await does(async (tx) => {
      ({ path } = await tx.mount.mount({ device, mode: 'ro' }));
    });
    expect(await left()).toHaveLength(1);
    await does((tx) => tx.mount.unmount({ path }));
    expect(await left()).toEqual([]);
  });

  test('stays with a foreign file, and if its name has no marker', async () => {
    const made = (await does((tx) => tx.mount.mount({ device, mode: 'ro' }))) as { readonly path: string };
    host.admin.mkdir(`${mnt}/photos`);
    host.admin.mount('/dev/vg0/old', `${mnt}/photos`);
    await does(async (tx) => {
      await tx.mount.unmount(made);
      host.admin.writeFile(`${made.path}/note`, 'x');
      await tx.mount.unmount({ path: `${mnt}/photos` });
    });

    expect([...(await left())].sort()).toEqual([made.path.slice(mnt.length + 1), 'photos'].sort());
  });
});
