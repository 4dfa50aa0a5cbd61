import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { atomic, BofhError, lvm, recover, RolledBackError, type Tx, vm, withBofh } from '../../src/index.ts';
import { isWhole } from '../support/sampled.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { hearingRejections } from '../support/unheard.ts';
import { both, ext4, made, plain, request, two } from './replica/support.ts';

/** Node 20 has no Promise.withResolvers. */
function promise() {
  let resolve = (): void => undefined;
  const done = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise: done, resolve };
}

const unheard = hearingRejections();
const mib = 1024 ** 2;

/** A host that a guest can be created on. */
function guestHost(host: SimulatedHost = simulatedHost()): SimulatedHost {
  host.addTar('/srv/root.tar', [
    { path: 'etc', type: 'directory' },
    { path: 'etc/motd', type: 'file', content: 'hello\n' },
  ]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  return host;
}

const guest = {
  name: 'web1',
  source: { type: 'tar', path: '/srv/root.tar' },
  ...{ vg: 'vg0', size: '64m', memory: '128m', kernel: '/boot/vmlinuz', ramdisk: '/boot/initrd' },
} as const;

/** Removes the guest web1, and creates another one of that name and `web2`. */
async function exchange(tx: Tx): Promise<void> {
  await tx.vm.remove({ name: 'web1', running: 'refuse' });
  await tx.vm.create({ ...guest, memory: '256m' });
  await tx.vm.create({ ...guest, name: 'web2' });
  await tx.vm.set('web2', { vcpus: 2 });
}

const failing = async (tx: Tx): Promise<void> => {
  await exchange(tx);
  throw new Error('later');
};

async function withGuest(): Promise<SimulatedHost> {
  const host = guestHost();
  await withBofh(simulatedBofh({ host }), () => vm.create(guest));
  return host;
}

it('every function with several steps is a method of tx too', async () => {
  const api = new URL('../../src/api/', import.meta.url);
  const names = readdirSync(api).flatMap((file) =>
    [...readFileSync(new URL(file, api), 'utf8').matchAll(/beginRecipe\('([\w.]+)'\)/g)].map(
      ([, name = '']) => name,
    ),
  );
  expect(names.length).toBeGreaterThan(20);
  await withBofh(simulatedBofh({ host: simulatedHost() }), () =>
    atomic('look', async (tx) => {
      const rooms = tx as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
      const missing = names.filter((name) => {
        const [room = '', method = ''] = name.split('.');
        return typeof rooms[room]?.[method] !== 'function';
      });
      expect(missing).toEqual([]);
    }),
  );
});

describe('recipes for guests in a transaction', () => {
  it('take snapshots, and restore one', async () => {
    const host = await withGuest();
    const bofh = simulatedBofh({ host });
    const labels = async (): Promise<readonly string[]> =>
      (await withBofh(bofh, () => vm.snapshots())).snapshots.map(({ label }) => label);
    const before = host.snapshot();
    const upgrade = async (tx: Tx): Promise<void> => {
      await tx.vm.createSnapshot('web1', 'old');
      await tx.vm.createSnapshot('web1', 'new');
      await tx.vm.removeSnapshot('web1', 'old');
      await tx.vm.set('web1', { memory: '64m' });
    };
    const failed = withBofh(bofh, () =>
      atomic('upgrade', async (tx) => {
        await upgrade(tx);
        throw new Error('later');
      }),
    );
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await withBofh(bofh, () => atomic('upgrade', upgrade));
    expect(await labels()).toEqual(['new']);
    await withBofh(bofh, () =>
      atomic('back', async (tx) => {
        await tx.vm.restoreSnapshot('web1', 'new');
        await tx.vm.create({ ...guest, name: 'web2' });
      }),
    );
    expect(await labels()).toEqual([]);
    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain('memory = 128');
  });

  it('are committed together', async () => {
    const host = await withGuest();
    await withBofh(simulatedBofh({ host }), () => atomic('exchange', exchange));

    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain('memory = 256');
    const { guests } = await withBofh(simulatedBofh({ host }), () => vm.list());
    expect(guests.map(({ name }) => name)).toEqual(['web1', 'web2']);
    const lvs = await withBofh(simulatedBofh({ host }), () => lvm.lvs());
    expect(lvs.map(({ name }) => name).sort()).toEqual(['web1-root', 'web2-root']);
  });

  it('are undone together', async () => {
    const host = await withGuest();
    const before = host.snapshot();
    const failed = withBofh(simulatedBofh({ host }), () => atomic('exchange', failing));

    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  it('are undone alone if the body continues after a failure', async () => {
    const host = await withGuest();
    await withBofh(simulatedBofh({ host }), () =>
      atomic('two', async (tx) => {
        await tx.vm.create({ ...guest, name: 'web2' });
        const error = await rejectionOf(tx.vm.create({ ...guest, name: 'web2' }));
        expect(error).toMatchObject({ code: 'exists' });
        await tx.vm.set('web2', { memory: '64m' });
      }),
    );
    expect(host.admin.readFile('/etc/xen/web2.cfg')).toContain('memory = 64');
  });

  it('can follow one another on one guest', async () => {
    const host = await withGuest();
    const bofh = simulatedBofh({ host });
    const before = host.snapshot();
    const life = async (tx: Tx): Promise<void> => {
      await tx.vm.set('web1', { memory: '64m' });
      await tx.vm.start('web1');
      await tx.vm.pause('web1');
      await tx.vm.resume('web1');
      await tx.vm.set('web1', { vcpus: 2 });
      await tx.vm.stop('web1');
      await tx.vm.rename('web1', 'web3');
      await tx.vm.start('web3');
      await tx.vm.restart('web3');
      await tx.vm.stop('web3');
      await tx.vm.remove({ name: 'web3', running: 'refuse' });
      await tx.vm.create(guest);
    };
    const failed = withBofh(bofh, () =>
      atomic('life', async (tx) => {
        await life(tx);
        throw new Error('later');
      }),
    );
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await withBofh(bofh, () => atomic('life', life));
    expect((await withBofh(bofh, () => vm.list())).guests).toMatchObject([{ name: 'web1', state: 'off' }]);
  });

  it('start and stop guests, and are undone: the guest runs again', async () => {
    const host = await withGuest();
    const bofh = simulatedBofh({ host });
    await withBofh(bofh, () => vm.start('web1'));
    const failed = withBofh(bofh, () =>
      atomic('stop', async (tx) => {
        await tx.vm.stop('web1');
        expect((await vm.show('web1')).state).toBe('off');
        throw new Error('later');
      }),
    );
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect((await withBofh(bofh, () => vm.show('web1'))).state).toBe('running');
  });

  it('are as before or as after a kill of the process at any point', async () => {
    let died = 0;
    const every = isWhole ? 1 : 4;
    for (let at = 1; ; at += every) {
      const host = await withGuest();
      const before = host.snapshot();
      let seen = 0;
      const killed = promise();
      const run = withBofh(simulatedBofh({ host }), () =>
        atomic('exchange', failing, {
          onEvent: () => {
            if (++seen !== at) return;
            host.kill();
            killed.resolve();
          },
        }),
      );
      await Promise.race([run.catch(() => undefined), killed.promise]);
      if (seen < at) break;
      died++;
      const again = host.restart();
      await withBofh(simulatedBofh({ host: again }), () => recover());
      expect(again.snapshot(), `killed at event ${String(at)}`).toBe(before);
    }
    expect(died).toBeGreaterThan(30 / every);
  });

  it('complete also without an await', async () => {
    const host = guestHost();
    const before = host.snapshot();
    const failed = withBofh(simulatedBofh({ host }), () =>
      atomic('two', async (tx) => {
        void tx.vm.create(guest);
        await Promise.resolve();
      }),
    );
    await expect(failed).rejects.toThrow(/await/);
    expect(host.snapshot()).toBe(before);
    expect(unheard()).toEqual([]);
  });

  it('read what earlier steps did, also in a dry run', async () => {
    const bofh = { ...simulatedBofh({ host: guestHost() }), planning: true };
    const seen = await withBofh(bofh, () =>
      atomic('two', async (tx) => {
        await tx.vm.create(guest);
        const error = await rejectionOf(tx.vm.create(guest));
        return [(error as BofhError).code, (await vm.list()).guests.map(({ name }) => name)];
      }),
    );
    expect(seen).toEqual(['exists', ['web1']]);
  });
});

describe('other recipes in a transaction', () => {
  it('create a replicated disk on both hosts, and undo it on both', async () => {
    const hosts = two();
    const before = both(hosts);
    const failed = withBofh(hosts.here, () =>
      atomic('disk', async (tx) => {
        const { device } = await tx.drbd.create({ ...request, primary: 'alpha' });
        await tx.filesystem.create({ device, type: 'ext4' });
        throw new Error('later');
      }),
    );
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(both(hosts)).toEqual(before);
  });

  it('resize a stack, and undo it', async () => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 17 });
    host.admin.format('/dev/vg0/data', ext4);
    const before = host.snapshot();
    const failed = withBofh(simulatedBofh({ host }), () =>
      atomic('grow', async (tx) => {
        const { layers } = await tx.block.resize({ device: '/dev/vg0/data', to: { by: 64 * mib } });
        expect(layers.map(({ from, to }) => to - from)).toEqual([64 * mib, 64 * mib]);
        throw new Error('later');
      }),
    );
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  it('do not grow a stack with a replicated disk, which could not shrink again', async () => {
    const hosts = await made({ primary: 'alpha' });
    hosts.alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16 * 1024 });
    const before = both(hosts);
    const error = await rejectionOf(
      withBofh(hosts.here, () =>
        atomic('grow', (tx) =>
          tx.block.resize({ device: '/dev/drbd0', to: { by: 64 * mib }, on: ['alpha', 'there'] }),
        ),
      ),
    );
    expect(error).toMatchObject({ remedy: expect.stringContaining("drbd.grow({ name: 'web1'") as string });
    expect(both(hosts)).toEqual(before);
  });

  it('work on the host of their handle', async () => {
    const hosts = plain();
    guestHost(hosts.there.host());
    const created = withBofh(hosts.here, () =>
      atomic('web2', async (tx) => tx.on('there').vm.create({ ...guest, name: 'web2' })),
    );
    expect(await created).toMatchObject({ name: 'web2' });
    expect(hosts.there.host().admin.readFile('/etc/xen/web2.cfg')).toContain('web2');
    expect(hosts.alpha.snapshot()).not.toContain('web2');
  });
});

it('two lines are added to a crypttab that the first of them creates', async () => {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 17 });
  const before = host.snapshot();
  const add = async (tx: Tx): Promise<void> => {
    for (const name of ['one', 'two'])
      await tx.mount.addCrypttab({ name, device: '/dev/vg0/data', key: 'none', options: ['luks', 'noauto'] });
  };
  const failed = withBofh(simulatedBofh({ host }), () =>
    atomic('lines', async (tx) => {
      await add(tx);
      throw new Error('later');
    }),
  );
  await expect(failed).rejects.toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
  await withBofh(simulatedBofh({ host }), () => atomic('lines', add));
  expect(host.admin.readFile('/etc/crypttab')).toMatch(/one .*\ntwo /);
});

it('a body reads the host that the sequence works on', async () => {
  const hosts = two();
  hosts.there.host().admin.lvcreate({ vg: 'vg0', name: 'other', extents: 1 });
  const names = await withBofh(hosts.here, () =>
    atomic('read', async () => (await lvm.lvs()).map(({ name }) => name), { host: 'there' }),
  );
  expect(names).toEqual(['other']);
});
