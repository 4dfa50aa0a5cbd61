import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { replicatedVolumes } from '../../support/undo/specimens/drbd.ts';
import { hostWithSource } from '../simulator/support.ts';
import { create, does, fails } from './support.ts';

const device = '/dev/vg0/data';
const uuid = '0c0ffee0-0000-4000-8000-0000000000aa';

/** An unused volume with a filesystem. */
function hostWithVolume(): SimulatedHost {
  const host = hostWithSource();
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 16 });
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  host.admin.mkdir('/srv/data');
  return host;
}

/** `major:minor` of the volume. */
function numberOf({ world }: SimulatedHost): string {
  const lv = world.lvm[0]?.lvs.find(({ name }) => name === 'data');
  return `${String(world.dmMajor)}:${String(world.active.get(lv?.uuid ?? ''))}`;
}

/** A holder of the volume: how it starts, how the refusal names it, and the command in the remedy, which is run. */
interface Holder {
  readonly who: string;
  readonly takes: (host: SimulatedHost) => void;
  readonly says: RegExp;
  readonly next: RegExp;
  readonly lets: (host: SimulatedHost) => void;
}

const holders: readonly Holder[] = [
  {
    who: 'a mount',
    takes: ({ admin }) => void admin.mount(device, '/srv/data'),
    says: /mounted on \/srv\/data/,
    next: /umount \/srv\/data/,
    lets: ({ admin }) => admin.umount('/srv/data'),
  },
  {
    who: 'a process that works in the mount',
    takes: ({ admin }) => {
      admin.mount(device, '/srv/data');
      admin.hold('/srv/data', 'tail -f log');
    },
    says: /process \d+ \(tail\) works in \/srv\/data/,
    next: /kill \d+; umount \/srv\/data/,
    lets: ({ admin }) => {
      admin.letGo('/srv/data');
      admin.umount('/srv/data');
    },
  },
  {
    who: 'swap',
    takes: ({ admin }) => {
      admin.format(device, { type: 'swap', usage: 'other', uuid, version: '1' });
      admin.swapon(device);
    },
    says: /swap/,
    next: /swapoff \/dev\//,
    lets: ({ world }) => {
      world.swaps.splice(0);
      world.revision += 1;
    },
  },
  {
    who: 'a device-mapper device on it',
    takes: ({ admin }) => {
      admin.luksFormat({ device, uuid, key: 'geheim' });
      admin.luksOpen(device, 'secret');
    },
    says: /secret/,
    next: /secret/,
    lets: ({ admin }) => admin.luksClose('secret'),
  },
  {
    who: 'a loop device over it',
    takes: ({ admin }) => void admin.losetup(device),
    says: /loop0/,
    next: /losetup (?:-d|--detach) \/dev\/loop0/,
    lets: ({ admin }) => admin.detachLoop('/dev/loop0'),
  },
  {
    who: 'a snapshot of it',
    takes: ({ admin }) => void admin.snapshot({ vg: 'vg0', name: 'nightly', origin: 'data', extents: 2 }),
    says: /vg0\/nightly/,
    next: /bofh lvm remove vg0\/nightly/,
    lets: ({ admin }) => admin.lvremove('vg0', 'nightly'),
  },
  {
    who: 'a guest that has it as a disk',
    takes: (host) => {
      const disks = [{ vdev: 'xvda', path: device, number: numberOf(host) }];
      host.admin.startDomain({ name: 'tenant', disks });
    },
    says: /guest tenant \(domid \d+\)/,
    next: /xl shutdown -w \d+/,
    lets: ({ admin }) => admin.destroyDomain('tenant'),
  },
];

const busy = {
  tool: 'umount',
  mode: 'fails before',
  exitCode: 32,
  stderr: 'umount: /run/bofh/mnt/x: target is busy.\n',
} as const;

describe('device busy, filesystem in use on teardown', () => {
  it.each(holders)(
    'by $who: the holder is named before any change, and the same command works once it is free',
    async ({ takes, says, next, lets }) => {
      const host = hostWithVolume();
      takes(host);
      const [before, changes] = [host.snapshot(), host.changes.length];

      const told = await fails(host, 'lvm remove vg0/data');

      const text = [told.failed, ...told.details].join('\n');
      expect(text).toMatch(/vg0\/data|\/dev\/vg0\/data/);
      expect(text).toMatch(says);
      expect(`${text}\n${told.next ?? ''}`).toMatch(next);
      expect(told.exitCode).toBe(1);
      expect(host.changes.length).toBe(changes);
      expect(host.snapshot()).toBe(before);
      lets(host);
      await does(host, 'lvm remove vg0/data');
      expect(host.snapshot()).not.toContain('vg0/data ');
    },
  );

  it('by a DRBD resource that stores on it: named with the command that brings it down', async () => {
    const host = hostWithSource();
    replicatedVolumes(host, 'secondary');

    const told = await fails(host, 'lvm remove vg0/web1-root');

    expect([told.failed, ...told.details].join('\n')).toMatch(/web1\b.*drbd|drbd.*web1\b/i);
    expect(`${told.failed}\n${told.next ?? ''}`).toMatch(/drbdsetup down web1|bofh drbd down web1/);
    await does(host, 'drbd down web1');
    await does(host, 'lvm remove vg0/web1-root');
  });

  it('briefly: the change is retried a few times, and succeeds', async () => {
    const host = hostWithSource();
    host.fault({ ...busy, times: 2 });

    await does(host, create);

    const asked = host.changes.filter((each) => each.what === 'command' && each.command.tool === 'umount');
    expect(asked.length).toBe(1);
    expect(host.points.filter(({ tool }) => tool === 'umount').length).toBe(3);
  });

  it('permanently: retries end, the holder is named, and recovery undoes everything once it is free', async () => {
    const host = hostWithSource();
    const before = host.snapshot();
    host.fault({ ...busy, times: Number.POSITIVE_INFINITY });

    const told = await fails(host, create);

    expect(told.exitCode).toBe(3);
    expect([told.failed, ...told.details].join('\n')).toMatch(/\/run\/bofh\/mnt\//);
    expect(host.points.filter(({ tool }) => tool === 'umount').length).toBeLessThan(30);
    host.clearFaults();
    await does(host.restart(), 'recover');
    expect(host.snapshot()).toBe(before);
  });
});
