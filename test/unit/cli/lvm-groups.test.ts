import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typed } from '../plan/support.ts';

const otherPv = 'AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA';
const uuid = '5e1f0000-0000-4000-8000-000000000001';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: ['vdy', 'vdz'].map((name) => ({ name, size: 64 * 1024 ** 2 })) });
});

const said = async (...args: readonly string[]): Promise<unknown> => {
  const { exitCode, stdout } = await typed(host, ['--json', ...args]);
  expect(exitCode).toBe(0);
  return JSON.parse(stdout);
};
const holds = () => host.world.live.get('disk:vdz')?.superblock;

describe('bofh lvm pv', () => {
  it('creates a physical volume, and lists it without a group', async () => {
    const made = answers.lvmPvCreate.parse(await said('lvm', 'pv', 'create', '/dev/vdz'));

    const [member, free] = answers.lvmPvList.parse(await said('lvm', 'pv', 'list'));

    expect(made.device).toBe('/dev/vdz');
    expect(member).toMatchObject({ device: '/dev/vdb', group: 'vg0', allocatable: true });
    expect(free).toEqual({
      ...{ device: '/dev/vdz', uuid: made.uuid, group: null, size: 64 * 1024 ** 2, free: 64 * 1024 ** 2 },
      ...{ allocatable: false, tags: [] },
    });
  });

  it('lists them as a table', async () => {
    const { stdout } = await typed(host, ['lvm', 'pv', 'list']);

    expect(stdout).toMatch(/^DEVICE +GROUP +SIZE/);
    expect(stdout).toMatch(/\/dev\/vdb +vg0 +8 GiB +8 GiB/);
  });

  it('overwrites named content only after confirmation', async () => {
    host.admin.format('/dev/vdz', { type: 'ext4', usage: 'filesystem', uuid });
    const line = ['lvm', 'pv', 'create', '/dev/vdz', '--overwrite', uuid];

    await expect(typed(host, line)).rejects.toBeInstanceOf(RefusedError);
    expect(holds()?.type).toBe('ext4');
    await typed(host, ['--yes', ...line]);

    expect(holds()?.type).toBe('LVM2_member');
  });

  it('accepts the type of content without a UUID, as the refusal says', async () => {
    host.admin.format('/dev/vdz', { type: 'swap', usage: 'other' });
    const line = ['--yes', 'lvm', 'pv', 'create', '/dev/vdz'];

    await expect(typed(host, line)).rejects.toHaveProperty(
      'remedy',
      'to overwrite it, name it: --overwrite swap',
    );
    await typed(host, [...line, '--overwrite', 'swap']);

    expect(holds()?.type).toBe('LVM2_member');
  });

  it('does not ask without a loss, and refuses content that was not named', async () => {
    host.admin.format('/dev/vdz', { type: 'ext4', usage: 'filesystem', uuid });

    await expect(typed(host, ['--yes', 'lvm', 'pv', 'create', '/dev/vdz'])).rejects.toThrow(/holds ext4/);
  });
});

describe('bofh lvm vg', () => {
  beforeEach(async () => {
    for (const device of ['/dev/vdy', '/dev/vdz']) await typed(host, ['lvm', 'pv', 'create', device]);
  });

  it('creates a group, extends and reduces it, and lists it', async () => {
    const made = answers.lvmVgCreate.parse(
      await said('lvm', 'vg', 'create', 'vg1', '/dev/vdz', '--extent-size', '1m'),
    );
    expect(made).toMatchObject({ group: 'vg1', extentSize: 1024 ** 2, devices: ['/dev/vdz'] });

    const extended = answers.lvmVgDevices.parse(await said('lvm', 'vg', 'extend', 'vg1', '/dev/vdy'));
    expect(extended).toEqual({ group: 'vg1', uuid: made.uuid, devices: ['/dev/vdy'] });
    const listed = answers.lvmVgList.parse(await said('lvm', 'vg', 'list'));
    expect(listed.find(({ group }) => group === 'vg1')).toMatchObject({
      ...{ uuid: made.uuid, size: 126 * 1024 ** 2, free: 126 * 1024 ** 2 },
      ...{ writable: true, exported: false, partial: false },
    });

    answers.lvmVgDevices.parse(await said('lvm', 'vg', 'reduce', 'vg1', '/dev/vdz'));
    expect(host.world.lvm.find(({ name }) => name === 'vg1')?.pvs.map(({ path }) => path)).toEqual([
      '/dev/vdy',
    ]);
  });

  it('prints text', async () => {
    expect((await typed(host, ['lvm', 'vg', 'create', 'vg1', '/dev/vdz'])).stdout).toMatch(
      /^the volume group vg1 exists, uuid \S+\n$/,
    );
    expect((await typed(host, ['lvm', 'vg', 'extend', 'vg1', '/dev/vdy'])).stdout).toBe(
      '/dev/vdy: added to the volume group vg1\n',
    );
    expect((await typed(host, ['lvm', 'vg', 'reduce', 'vg1', '/dev/vdy'])).stdout).toBe(
      '/dev/vdy: removed from the volume group vg1\n',
    );
    expect((await typed(host, ['lvm', 'vg', 'list'])).stdout).toMatch(
      /vg1 +60 MiB +60 MiB +4 MiB +ok +bofh\./,
    );
  });
});

describe('bofh lvm vg remove and pv remove', () => {
  beforeEach(async () => {
    await typed(host, ['lvm', 'pv', 'create', '/dev/vdz']);
    await typed(host, ['lvm', 'vg', 'create', 'vg1', '/dev/vdz']);
  });

  it('ask first, and name what is lost', async () => {
    const before = host.snapshot();

    await expect(typed(host, ['lvm', 'vg', 'remove', 'vg1'])).rejects.toThrow(/needs confirmation/);

    expect(host.snapshot()).toBe(before);
  });

  it('say before the question why the change would be refused', async () => {
    await typed(host, ['lvm', 'create', 'vg1/web', '--size', '8m']);
    const before = host.snapshot();

    const pv = await rejectionOf(typed(host, ['lvm', 'pv', 'remove', '/dev/vdz']));
    expect(String(pv)).toContain('/dev/vdz is in the volume group vg1');
    const vg = await rejectionOf(typed(host, ['lvm', 'vg', 'remove', 'vg1']));
    expect(String(vg)).toContain('vg1 has volumes: vg1/web');

    expect(host.snapshot()).toBe(before);
  });

  it('remove the group, and then the label of its device', async () => {
    const group = await said('--yes', 'lvm', 'vg', 'remove', 'vg1');
    expect(answers.lvmVgRemove.parse(group)).toEqual({ group: 'vg1', devices: ['/dev/vdz'], labels: 'kept' });
    expect(holds()?.type).toBe('LVM2_member');

    const device = await said('--yes', 'lvm', 'pv', 'remove', '/dev/vdz');
    expect(answers.lvmPvRemove.parse(device)).toEqual({ device: '/dev/vdz' });
    expect(holds()).toBeUndefined();
  });

  it('keep another group that got the name during the question', async () => {
    host.admin.format('/dev/vdy', { type: 'LVM2_member', usage: 'raid', uuid: otherPv });
    const meanwhile = (): string => {
      host.admin.vgrename('vg1', 'vg2');
      host.admin.vgcreate('vg1', ['/dev/vdy']);
      return 'y';
    };

    await expect(typed(host, ['lvm', 'vg', 'remove', 'vg1'], [meanwhile])).rejects.toThrow(
      /another volume group is now named "vg1"/,
    );
    expect(host.world.lvm.map(({ name }) => name)).toEqual(['vg0', 'vg2', 'vg1']);
  });

  it('keep another physical volume that replaced the device during the question', async () => {
    await typed(host, ['--yes', 'lvm', 'vg', 'remove', 'vg1']);
    const meanwhile = (): string => {
      host.admin.format('/dev/vdz', { type: 'LVM2_member', usage: 'raid', uuid: otherPv });
      return 'y';
    };

    await expect(typed(host, ['lvm', 'pv', 'remove', '/dev/vdz'], [meanwhile])).rejects.toThrow(
      /is another physical volume now/,
    );
    expect(holds()?.uuid).toBe(otherPv);
  });

  it('remove both at once', async () => {
    const { stdout } = await typed(host, ['--yes', 'lvm', 'vg', 'remove', 'vg1', '--devices']);

    expect(stdout).toBe('the volume group vg1 is removed; its devices lose their LVM labels: /dev/vdz\n');
    expect(holds()).toBeUndefined();
    expect(host.world.lvm.map(({ name }) => name)).toEqual(['vg0']);
  });

  it.each([[['--yes']], [[]]])('report a missing group, without a question: %j', async (options) => {
    await expect(typed(host, [...options, 'lvm', 'vg', 'remove', 'nope'])).rejects.toThrow(
      /no volume group "nope"/,
    );
  });
});

describe('bofh lvm vg rename and pv resize', () => {
  it('print the files that still have the old path of a volume, with the new one', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'web-1', extents: 1 });
    host.admin.writeFile(
      '/etc/fstab',
      '/dev/vg0/web-1 /srv ext4 nofail 0 2\n/dev/vg01/x /x ext4 nofail 0 2\n',
    );
    const config =
      'name = "web1"\nmemory = 128\nkernel = "/vmlinuz"\ndisk = ["phy:/dev/mapper/vg0-web--1,xvda,w"]\n';
    host.admin.writeFile('/etc/xen/web1.cfg', config);

    const planned = await typed(host, ['--dry-run', 'lvm', 'vg', 'rename', 'vg0', 'a-b']);
    const { stdout } = await typed(host, ['lvm', 'vg', 'rename', 'vg0', 'a-b']);

    for (const text of [planned.stderr, stdout]) {
      expect(text).toContain('until you write /dev/a-b/web-1 there');
      expect(text).toMatch(/web1 does not start until you replace .* by \/dev\/mapper\/a--b-web--1 in /m);
      expect(text).not.toContain('vg01');
    }
    expect(host.world.lvm.map(({ name }) => name)).toEqual(['a-b']);
  });

  it('print the group, and the size in bytes', async () => {
    await typed(host, ['lvm', 'pv', 'create', '/dev/vdz']);
    await typed(host, ['lvm', 'vg', 'extend', 'vg0', '/dev/vdz']);

    const size = await said('lvm', 'pv', 'resize', '/dev/vdz', '--size', '32m');
    const same = await said('lvm', 'pv', 'resize', '/dev/vdz', '--size', '32m');
    const group = await said('lvm', 'vg', 'rename', 'vg0', 'vg9');

    expect(answers.lvmPvResize.parse(size)).toMatchObject({ device: '/dev/vdz', size: 28 * 1024 ** 2 });
    expect(same).toEqual(size);
    expect(answers.lvmVgRename.parse(group)).toMatchObject({
      group: 'vg9',
      was: 'vg0',
      namedIn: [],
      unread: [],
    });
  });
});
