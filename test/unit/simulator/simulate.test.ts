import { describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { commandLine } from '../../../src/command/index.ts';

import { simulate, simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { removeVm, planRemove } from '../../../src/vm/remove.ts';
import { bofhOn, hostWithSource, site, vmCreate } from './support.ts';

describe('a plan over a host', () => {
  test('of vm create has the exact changes of the real run, and does not change the host', async () => {
    const real = hostWithSource();
    const before = real.snapshot();
    const plan = await simulate(real);

    await vmCreate(bofhOn(plan));

    expect(real.changes).toEqual([]);
    expect(real.snapshot()).toBe(before);
    await vmCreate(bofhOn(real));
    expect(changesOf(plan)).toEqual(changesOf(real));
  });

  test('of vm remove has the exact changes of the real run, and does not change the host', async () => {
    const real = hostWithSource();
    await vmCreate(bofhOn(real));
    const begun = real.changes.length;
    const before = real.snapshot();
    const plan = await simulate(real);

    await vmRemove(plan);

    expect(real.changes.length).toBe(begun);
    expect(real.snapshot()).toBe(before);
    await vmRemove(real);
    expect(changesOf(plan)).toEqual(changesOf(real).slice(begun));
  });

  test('reads the holes of a new image as zeros, as the kernel does', async () => {
    const real = hostWithSource();
    const before = real.snapshot();
    const work = (host: SimulatedHost) =>
      withBofh(bofhOn(host), () =>
        atomic('image', async (tx) => {
          await tx.block.createImage({ file: '/srv/disk.img', size: '8m' });
          await tx.file.remove({ path: '/srv/disk.img' });
        }),
      );
    const plan = await simulate(real);

    await work(plan);
    await work(real);

    expect(changesOf(plan)).toEqual(changesOf(real));
    expect(real.snapshot()).toBe(before);
  });

  test('gives a new volume the lowest free number, as the kernel does', async () => {
    const real = hostWithSource();
    for (const name of ['a', 'b', 'c']) real.admin.lvcreate({ vg: 'vg0', name, extents: 1 });
    const free = await real.readLink('/dev/vg0/b');
    await withBofh(bofhOn(real), () => atomic('remove', (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'b' })));
    const plan = await simulate(real);
    const made = async (host: SimulatedHost): Promise<string> => {
      await withBofh(bofhOn(host), () =>
        atomic('create', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'd', size: '4m' })),
      );
      return host.readLink('/dev/vg0/d');
    };

    expect([await made(plan), await made(real)]).toEqual([free, free]);
  });

  test('works also below a chroot, where the kernel shows no mount at the root', async () => {
    const real = hostWithSource();
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    const below = {
      ...real,
      readFile: async (path: string) => {
        const bytes = await real.readFile(path);
        if (path !== '/proc/self/mountinfo') return bytes;
        const seen = text(bytes).split('\n');
        return Buffer.from(seen.filter((line) => line.split(' ')[4] !== '/').join('\n'));
      },
    };
    const plan = await simulate(below);

    await vmCreate(bofhOn(plan));

    expect(text(await below.readFile('/proc/self/mountinfo'))).not.toContain(' / / ');
    await vmCreate(bofhOn(real));
    expect(changesOf(plan)).toEqual(changesOf(real));
  });

  test('refuses what the real run would refuse', async () => {
    const real = hostWithSource();
    await vmCreate(bofhOn(real));
    const plan = await simulate(real);

    await expect(vmCreate(bofhOn(plan))).rejects.toThrow(/exists already|there is a domain web1 already/);
  });

  test('sees the layers above a device, and its holders', async () => {
    const real = hostWithSource();
    await vmCreate(bofhOn(real));
    const plan = await simulate(real);
    const work = (device: string) =>
      withBofh(simulatedBofh({ host: plan, site }), () =>
        atomic('mkfs', (tx) => tx.filesystem.create({ device, type: 'ext4' })),
      );

    await expect(work('/dev/vg0/web1-root')).rejects.toThrow(/a disk of the guest/);
    await expect(work('/dev/vg0/web1-root2')).rejects.toThrow(
      /holds ext4, uuid 0c0ffee0-0000-4000-8000-000000000001/,
    );
    await expect(work('/dev/vg0/none')).rejects.toThrow(/there is no such device/);
  });

  test('of a host with a failing xl says so when it asks xl, and plans the rest', async () => {
    const real = hostWithSource();
    real.fault({ tool: 'xl', access: 'read', mode: 'fails before', times: 99, stderr: 'no Xen here\n' });
    const plan = await simulate(real);

    await expect(vmCreate(bofhOn(plan))).rejects.toThrow(/no Xen here/);
    await vmCreate(bofhOn(await simulate(hostWithSource())), { start: false });
    await withBofh(bofhOn(plan), () =>
      atomic('lv', (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'x', size: '4m' })),
    );
    expect(changesOf(plan)[0]).toContain('lvcreate --name x');
  });

  test('lists no volume that the plan has removed, and no device node', async () => {
    const real = hostWithSource();
    const plan = await simulate(real);

    await withBofh(bofhOn(plan), () =>
      atomic('rm', (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-root2' })),
    );

    expect(await plan.stat('/dev/vg0/web1-root2')).toBeUndefined();
    expect(await plan.stat('/dev/mapper/vg0-web1--root2')).toBeUndefined();
    expect((await real.stat('/dev/vg0/web1-root2'))?.kind).toBe('symlink');
  });

  test('cannot read a filesystem that it does not really mount, and says so', async () => {
    const real = hostWithSource();
    const plan = await simulate(real);
    const body = () =>
      atomic('look', async (tx) => {
        const { path } = await tx.mount.mount({ device: '/dev/vg0/web1-root2', mode: 'ro' });
        await plan.readDir(path);
      });

    await expect(withBofh(bofhOn(plan), body)).rejects.toThrow(/cannot tell what is in/);
  });

  test('reads the files of an ext that is not mounted, and does not find again what it removed', async () => {
    const real = hostWithSource();
    await vmCreate(bofhOn(real), { start: false });
    real.admin.mkdir('/mnt');
    real.admin.mount('/dev/vg0/web1-root', '/mnt');
    real.admin.symlink('/mnt/etc/link', 'fstab');
    real.admin.umount('/mnt');
    const before = real.snapshot();
    const plan = await simulate(real);

    await withBofh(bofhOn(plan), () =>
      atomic('test', async (tx) => {
        const device = '/dev/vg0/web1-root';
        const { path } = await tx.mount.mount({ device, type: 'ext4', mode: 'rw' });
        const fstab = `${path}/etc/fstab`;
        const [stat, bytes] = await Promise.all([plan.stat(fstab), plan.readFile(fstab)]);
        expect(stat?.kind).toBe('file');
        expect(new TextDecoder().decode(bytes)).toMatch(/^UUID=.* ext4 /);
        await expect(plan.readLink(`${path}/etc/link`)).rejects.toThrow(/cannot tell where .*link leads/);
        await expect(plan.readFile(`${path}/etc/link`)).rejects.toThrow(/cannot tell where/);
        await tx.file.remove({ path: fstab });
        expect(await plan.stat(fstab)).toBeUndefined();
        await tx.mount.unmount({ path });
      }),
    );

    expect(real.snapshot()).toBe(before);
  });
});

async function vmRemove(host: SimulatedHost): Promise<void> {
  const plan = await planRemove({ host, site, name: 'web1', running: 'shutdown' });
  await withBofh(bofhOn(host), () => atomic('vm remove', (tx) => removeVm(tx, plan)));
}

/** Every change in order, without what is drawn at random in each run. */
function changesOf(host: SimulatedHost): readonly string[] {
  return host.changes.map((change) => {
    const text =
      change.what === 'command'
        ? commandLine(change.command)
        : change.what === 'pipeline'
          ? change.commands.map(commandLine).join(' | ')
          : `${change.verb} ${change.from ?? ''} ${change.path} ${change.mode ?? ''}`;
    return text
      .replace(/bofh([._])(?<word>gone_)?[0-9a-f]{12}/g, 'bofh$1ID')
      .replace(/[0-9a-zA-Z]{6}(?:-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6}/g, 'LVM-UUID')
      .replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'UUID')
      .replace(/[0-9a-f]{12}\.kept/g, 'ID.kept')
      .replace(/mark=\S+/g, 'MARK');
  });
}
