import { lvm, mount, recover, RolledBackError, withBofh } from 'bofh';
import { simulatedBofh, simulatedHost, type SimulatedHost } from 'bofh/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { provision } from './provision.js';

let host: SimulatedHost;

beforeEach(() => {
  // A host in memory: vg0 with 1 GiB, and the directory to mount on.
  host = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 1024 ** 3 }] });
  host.admin.mkdir('/srv/web1');
  host.admin.writeFile('/etc/fstab', '');
});

const run = () => withBofh(simulatedBofh({ host }), () => provision('web1'));

describe('provision', () => {
  it('creates and mounts a volume', async () => {
    expect(await run()).toBe('/srv/web1');

    await withBofh(simulatedBofh({ host }), async () => {
      expect((await lvm.lvs()).map(({ fullName }) => fullName)).toEqual(['vg0/web1']);
      expect(await mount.isMountpoint('/srv/web1')).toBe(true);
      expect((await mount.fstab()).lines).toMatchObject([{ target: '/srv/web1' }]);
    });
  });

  it.each(['lvcreate', 'mkfs.ext4', 'mount'] as const)('leaves nothing if %s fails', async (tool) => {
    const before = host.snapshot();
    host.fault({ tool, mode: 'acts then fails' });

    await expect(run()).rejects.toThrow();
    expect(host.snapshot()).toBe(before);
  });

  it('says why a second run is refused', async () => {
    await run();
    await expect(run()).rejects.toMatchObject({ code: 'exists' });
  });

  it('is undone by recover() after a crash', async () => {
    const before = host.snapshot();
    // The process dies in the middle of mkfs: nobody is there to undo it.
    host.fault({ tool: 'mkfs.ext4', mode: 'acts then crash' });
    await expect(run()).rejects.not.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).not.toBe(before);

    const later = host.restart();
    await withBofh(simulatedBofh({ host: later }), () => recover());
    expect(later.snapshot()).toBe(before);
  });
});
