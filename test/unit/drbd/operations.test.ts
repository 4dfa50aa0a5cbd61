import { describe, expect, it } from 'vitest';
import { undo } from '../../../src/api/undo.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { withBofh } from '../../../src/bofh.ts';
import { states } from '../../../src/drbd/index.ts';
import { RolledBackError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { commonFile, device, on, refused, replicated, resourceText, undone, up } from './support.ts';

const name = 'web1';
const boom = new Error('boom');

const now = async (host: SimulatedHost) =>
  (await states(host)).map((each) => [each.name, each.role, each.volumes[0]?.disk]);

/** A filesystem on its device, mounted. */
function mount(host: SimulatedHost): SimulatedHost {
  const uuid = '5e1f0000-0000-4000-8000-0000000000aa';
  host.admin.format('/dev/drbd0', { type: 'ext4', usage: 'filesystem', uuid });
  host.admin.mount('/dev/drbd0', '/mnt');
  return host;
}

function primary(): SimulatedHost {
  const host = up();
  host.admin.drbdadm('primary', name);
  return host;
}

describe('tx.drbd.up', () => {
  it('brings a resource up, as a secondary, and brings it down again when the sequence fails', async () => {
    const host = replicated();

    expect(await on(host, (tx) => tx.drbd.up({ name }))).toEqual({ name, devices: ['/dev/drbd0'] });
    expect(await now(host)).toEqual([[name, 'Secondary', 'UpToDate']]);
    await undone(replicated(), (tx) => tx.drbd.up({ name }));
  });

  it('brings down a partly created one: without metadata drbdadm leaves a resource without a disk', async () => {
    const host = replicated();
    const before = host.snapshot();
    // The look before the act saw them still.
    host.fault({ tool: 'drbdadm', access: 'change', mode: 'acts then fails' });

    await expect(on(host, (tx) => tx.drbd.up({ name }))).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  it('refuses one that is up, one that is not configured, and one without a part for this host', async () => {
    expect(await refused(up(), (tx) => tx.drbd.up({ name }))).toMatchObject({
      message: 'web1 is up already, as Secondary',
    });
    expect(await refused(replicated(), (tx) => tx.drbd.up({ name: 'web9' }))).toMatchObject({
      remedy: 'there are web1',
    });
    const host = replicated();
    host.admin.writeFile(
      '/etc/drbd.d/web2.res',
      resourceText('web2', { minor: 1, port: 7789 }).replace('on sim', 'on rem'),
    );
    expect(await refused(host, (tx) => tx.drbd.up({ name: 'web2' }))).toMatchObject({
      message: 'the configuration of web2 has no section "on sim" for this host',
    });
  });

  it('refuses a disk without metadata at its end, because drbdadm would move that of a grown disk', async () => {
    const host = replicated();
    host.admin.format('/dev/vg0/web1-root', undefined);

    const { message, remedy } = await refused(host, (tx) => tx.drbd.up({ name }));
    expect(message).toBe('/dev/vg0/web1-root has no metadata of DRBD at its end: it is blank');
    expect(remedy).toContain('bofh drbd create-md web1');
  });

  it('refuses a disk in use, and the minor number of another resource', async () => {
    const host = up();
    host.admin.writeFile('/etc/drbd.d/web2.res', resourceText('web2', { port: 7789, minor: 1 }));
    expect((await refused(host, (tx) => tx.drbd.up({ name: 'web2' }))).holders).toMatchObject([
      { kind: 'drbd', resource: name },
    ]);
    // Up still, and configured no more: of two files with one number drbdadm takes none.
    host.admin.removeFile('/etc/drbd.d/web1.res');
    host.admin.writeFile('/etc/drbd.d/web2.res', resourceText('web2', { port: 7789, minor: 0 }));
    expect((await refused(host, (tx) => tx.drbd.up({ name: 'web2' }))).message).toContain(
      'which the resource web1 uses',
    );
  });

  it.each(['all', '-d', 'web1/0', 'web 1', ''])('refuses a name like "%s"', async (odd) => {
    await expect(on(replicated(), (tx) => tx.drbd.up({ name: odd }))).rejects.toBeInstanceOf(UsageError);
  });

  it('is stuck when the resource was promoted and is in use, and names the holder', async () => {
    const host = replicated();
    const failed = on(host, async (tx) => {
      await tx.drbd.up({ name });
      host.admin.drbdadm('primary', name);
      mount(host);
      throw boom;
    });

    await expect(failed).rejects.toMatchObject({
      blocked: [{ kind: 'drbd.up', holders: [{ kind: 'mount', path: '/mnt' }] }],
    });
    expect(await now(host)).toEqual([[name, 'Primary', 'UpToDate']]);
  });
});

describe('tx.drbd.down', () => {
  it('brings a secondary down, and brings it up again when the sequence fails', async () => {
    const host = up();

    await on(host, (tx) => tx.drbd.down({ name }));
    expect(await now(host)).toEqual([]);
    await undone(up(), (tx) => tx.drbd.down({ name }));
  });

  it('refuses one that is mounted, or in use by a guest, and names the holder', async () => {
    const mounted = mount(primary());
    expect(await refused(mounted, (tx) => tx.drbd.down({ name }))).toMatchObject({
      message: expect.stringContaining('mounted on /mnt') as unknown,
      holders: [{ kind: 'mount', path: '/mnt' }],
    });
    const guest = primary();
    guest.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvda', path: '/dev/drbd0', number: '147:0' }] });
    expect((await refused(guest, (tx) => tx.drbd.down({ name }))).holders).toMatchObject([{ kind: 'guest' }]);
  });

  it('restores StandAlone, also after a kill of its undo', async () => {
    const alone = (): SimulatedHost => {
      const host = up();
      host.admin.drbdadm('disconnect', name);
      return host;
    };
    await undone(alone(), (tx) => tx.drbd.down({ name }));
    for (const at of ['up', 'disconnect'] as const) {
      const host = alone();
      const before = host.snapshot();
      const failed = on(host, async (tx) => {
        await tx.drbd.down({ name });
        host.fault({ tool: 'drbdadm', argvIncludes: at, mode: 'crash here' });
        throw boom;
      });
      await failed.catch(() => undefined);
      expect(host.process.alive).toBe(false);
      host.clearFaults();
      const again = host.restart();
      const { engine } = simulatedBofh({ host: again });
      const [journal] = await openJournals(engine);
      await recover(journal?.id ?? '', { engine, yes: true });
      expect(again.snapshot()).toBe(before);
    }
  });

  it('refuses a primary, one that is not up, and one that would come up differently', async () => {
    expect(await refused(primary(), (tx) => tx.drbd.down({ name }))).toMatchObject({
      message: 'web1 is primary on this host',
      remedy: 'make it secondary first: bofh drbd secondary web1',
    });
    expect((await refused(replicated(), (tx) => tx.drbd.down({ name }))).message).toBe('web1 is not up');
    const bare = up();
    Object.assign(bare.world.drbd.resources[0]?.volumes[0] ?? {}, { disk: 'Diskless' });
    expect((await refused(bare, (tx) => tx.drbd.down({ name }))).message).toContain(
      'volume 0 of web1 is Diskless',
    );
  });
});

describe('a disk that others took while DRBD did not use it', () => {
  const guest = (host: SimulatedHost): void =>
    void host.admin.startDomain({
      name: 'rescue',
      disks: [{ vdev: 'xvda', path: device, number: `${host.world.dmMajor}:0` }],
    });
  it.each(['down', 'detach'] as const)(
    'the undo of %s does not take it from a guest, and does so when the guest has ended',
    async (verb) => {
      const host = up();
      const failed = on(host, async (tx) => {
        await tx.drbd[verb]({ name });
        guest(host);
        throw boom;
      });

      await expect(failed).rejects.toMatchObject({
        blocked: [{ kind: `drbd.${verb}` }],
        message: expect.stringContaining('rescue') as unknown,
      });
      expect((await states(host))[0]?.volumes[0]?.disk ?? 'Diskless').toBe('Diskless');

      host.admin.destroyDomain('rescue');
      const { engine } = simulatedBofh({ host });
      const [journal] = await openJournals(engine);
      await recover(journal?.id ?? '', { engine, yes: true });
      expect(await now(host)).toEqual([[name, 'Secondary', 'UpToDate']]);
    },
  );

  it.each<readonly [string, (host: SimulatedHost) => void, RegExp]>([
    ['is lost', (host) => host.admin.lvremove('vg0', 'web1-root'), /there is no \/dev\/vg0\/web1-root/],
    [
      'has no metadata',
      (host) => host.admin.format(device, { type: 'ext4', usage: 'filesystem' }),
      /has no metadata of DRBD at its end/,
    ],
  ])('the undo of down does not bring it up while its disk %s', async (_, take, message) => {
    const host = up();
    const failed = on(host, async (tx) => {
      await tx.drbd.down({ name });
      take(host);
      throw boom;
    });

    await expect(failed).rejects.toThrow(message);
    expect(await now(host)).toEqual([]);
  });

  it('the undo of down says that others brought the resource up without a disk', async () => {
    const host = up();
    const failed = on(host, async (tx) => {
      await tx.drbd.down({ name });
      host.admin.drbdadm('up', name);
      host.admin.drbdadm('detach', name);
      throw boom;
    });

    await expect(failed).rejects.toMatchObject({
      leftUntouched: [expect.stringContaining('web1 is up, but its volume 0 has no disk')],
    });
  });
});

it('the undo of connect does not end a resync that overwrites the data of this host', async () => {
  const host = up();
  host.admin.drbdadm('disconnect', name);
  const failed = on(host, async (tx) => {
    await tx.drbd.connect({ name });
    host.admin.setDrbd(name, { connection: 'Connected', peer: { role: 'Secondary', disk: 'UpToDate' } });
    Object.assign(host.world.drbd.resources[0]?.volumes[0] ?? {}, {
      disk: 'Inconsistent',
      replication: 'SyncTarget',
    });
    host.world.revision += 1;
    throw boom;
  });

  await expect(failed).rejects.toThrow('volume 0 of web1 receives a resync');
  expect(host.world.drbd.resources[0]?.connection).toBe('Connected');
});

/** One whose peer is primary, with a disk in this state. */
function behindPrimary(disk: 'UpToDate' | 'Diskless'): SimulatedHost {
  const host = up();
  host.admin.setDrbd(name, { connection: 'Connected', peer: { role: 'Primary', disk } });
  return host;
}

describe('with a peer that is primary', () => {
  it('refuses a second one, unless the resource allows two', async () => {
    const { message } = await refused(behindPrimary('UpToDate'), (tx) => tx.drbd.primary({ name }));
    expect(message).toBe('peer is primary of web1, and only one host can be');
    const host = behindPrimary('UpToDate');
    const text = resourceText(name).replace('protocol C;', 'allow-two-primaries yes;');
    host.admin.writeFile('/etc/drbd.d/web1.res', text);
    await on(host, (tx) => tx.drbd.primary({ name }));
    expect(await now(host)).toEqual([[name, 'Primary', 'UpToDate']]);
    const inCommon = behindPrimary('UpToDate');
    inCommon.admin.writeFile(commonFile, 'common { net { allow-two-primaries yes; } }\n');
    await on(inCommon, (tx) => tx.drbd.primary({ name }));
    const own = resourceText(name).replace('protocol C;', 'allow-two-primaries no;');
    const not = behindPrimary('UpToDate');
    not.admin.writeFile(commonFile, 'common { net { allow-two-primaries yes; } }\n');
    not.admin.writeFile('/etc/drbd.d/web1.res', own);
    await refused(not, (tx) => tx.drbd.primary({ name }));
  });

  it('keeps the disk that the peer works with; its own is detached if the peer has a good one', async () => {
    const { message } = await refused(behindPrimary('Diskless'), (tx) => tx.drbd.down({ name }));
    expect(message).toContain('it uses the data of this host');
    await on(behindPrimary('UpToDate'), (tx) => tx.drbd.down({ name }));
  });
});

describe('tx.drbd.primary and secondary', () => {
  it('are each the inverse of the other', async () => {
    const host = up();

    expect(await on(host, (tx) => tx.drbd.primary({ name }))).toEqual({ name, devices: ['/dev/drbd0'] });
    expect(await now(host)).toEqual([[name, 'Primary', 'UpToDate']]);
    await on(host, (tx) => tx.drbd.secondary({ name }));
    expect(await now(host)).toEqual([[name, 'Secondary', 'UpToDate']]);
    await undone(up(), (tx) => tx.drbd.primary({ name }));
    await undone(primary(), (tx) => tx.drbd.secondary({ name }));
  });

  it('the undo of secondary makes no second primary while the peer that could be one is not connected', async () => {
    const host = up();
    const peer = { role: 'Secondary', disk: 'UpToDate' } as const;
    host.admin.setDrbd('web1', { role: 'Primary', connection: 'Connected', peer });
    await on(host, (tx) => tx.drbd.secondary({ name: 'web1' }));
    host.admin.setDrbd('web1', { connection: 'Connecting', peer: undefined });
    const simulated = simulatedBofh({ host });
    const [journal] = closedJournals(simulated.engine);
    const undoing = () => withBofh({ ...simulated, signals: {} }, () => undo(journal?.id ?? ''));
    await expect(undoing()).rejects.toThrow('its peer is not connected any more, and may be primary');
    expect(host.world.drbd.resources[0]?.role).toBe('Secondary');
    host.admin.setDrbd('web1', { connection: 'Connected', peer });
    await undoing();
    expect(host.world.drbd.resources[0]?.role).toBe('Primary');
  });

  it.each([
    ['is left and reported', {}, { leftUntouched: [expect.stringContaining('another resource')] }],
    [
      'waits for its peer if it took over from it',
      { takesOver: true } as const,
      { blocked: [{ why: expect.stringContaining('may have data that its peer lacks') as unknown }] },
    ],
  ])('the undo of primary after others added a volume %s', async (_, how, error) => {
    const host = up();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-data', extents: 16 });
    host.admin.drbdMetadata('/dev/vg0/web1-data', '3bde6cc090b8231f', 'UpToDate');
    const second = `    volume 1 {\n      device minor 1;\n      disk /dev/vg0/web1-data;\n      meta-disk internal;\n    }\n`;
    const failed = on(host, async (tx) => {
      await tx.drbd.primary({ name, ...how });
      const text = resourceText(name).replaceAll('    address', `${second}    address`);
      host.admin.writeFile('/etc/drbd.d/web1.res', text);
      host.admin.drbdadm('adjust', name);
      throw boom;
    });
    await expect(failed).rejects.toMatchObject(error);
    expect(host.world.drbd.resources[0]?.role).toBe('Primary');
  });

  it('refuse the present role, and a resource that is down', async () => {
    expect((await refused(primary(), (tx) => tx.drbd.primary({ name }))).message).toContain('already');
    expect((await refused(up(), (tx) => tx.drbd.secondary({ name }))).message).toContain('already');
    const two = primary();
    two.admin.setDrbd(name, { connection: 'Connected', peer: { role: 'Primary', disk: 'UpToDate' } });
    expect((await refused(two, (tx) => tx.drbd.primary({ name }))).message).toBe(
      'web1 is primary on this host and peer',
    );
    expect((await refused(replicated(), (tx) => tx.drbd.primary({ name }))).message).toBe('web1 is not up');
  });

  it('refuse to promote data that is not up to date, and never force', async () => {
    expect((await refused(up('Inconsistent'), (tx) => tx.drbd.primary({ name }))).message).toBe(
      'volume 0 of web1 is Inconsistent on this host, not UpToDate',
    );
  });

  it('refuse to demote while a device is mounted; a holder that only the kernel knows is named after its refusal', async () => {
    expect((await refused(mount(primary()), (tx) => tx.drbd.secondary({ name }))).holders).toMatchObject([
      { kind: 'mount', path: '/mnt' },
    ]);
    const host = primary();
    const { pid } = host.admin.hold('147:0', 'dd if=/dev/drbd0');
    await expect(on(host, (tx) => tx.drbd.secondary({ name }))).rejects.toMatchObject({
      holders: [{ kind: 'process', pid }],
    });
    expect(await now(host)).toEqual([[name, 'Primary', 'UpToDate']]);
  });

  it('work in one sequence with the step that brings it up, and everything is undone', async () => {
    const all = async (tx: Tx): Promise<void> => {
      await tx.drbd.up({ name });
      await tx.drbd.primary({ name });
    };
    const host = replicated();

    await on(host, all);
    expect(await now(host)).toEqual([[name, 'Primary', 'UpToDate']]);
    await undone(replicated(), all);
    await undone(primary(), async (tx) => {
      await tx.drbd.secondary({ name });
      await tx.drbd.down({ name });
    });
  });
});
