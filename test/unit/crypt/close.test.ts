import { describe, expect, it } from 'vitest';
import { closedRecovery } from '../../../src/crypt/manual-recovery.ts';
import { close } from '../../../src/crypt/operations/close.ts';
import { crypt } from '../../../src/index.ts';
import { withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { recoverAll } from '../../../src/simulator/matrix/trial.ts';
import { device, encrypted, key, on, otherKey, programsOf, undone } from './support.ts';

const names = (host: SimulatedHost): readonly string[] => host.world.mappings.map(({ name }) => name);

/** The device open as `mine`, by hand. */
function opened(): SimulatedHost {
  const host = encrypted();
  host.admin.luksOpen(device, 'mine');
  return host;
}

describe('crypt.close', () => {
  it('closes an unused device, by its name or its path', async () => {
    for (const name of ['mine', '/dev/mapper/mine']) {
      const host = opened();
      await on(host, (tx) => tx.crypt.close({ name, key }));
      expect(names(host)).toEqual([]);
    }
  });

  it('is undone by opening it with the same name, first name and size', async () => {
    const host = opened();
    const [mapping] = host.world.mappings;
    if (mapping !== undefined) Object.assign(mapping, { name: 'yours', size: 16 * 1024 ** 2 });
    host.world.revision += 1;
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.close({ name: 'yours', key }));

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host).slice(1)).toEqual([
      'cryptsetup open --type luks --key-file=- /dev/mapper/vg0-web1 mine',
      'cryptsetup resize --device-size 16777216 --key-file=- mine',
      'dmsetup rename mine yours',
    ]);
  });

  it('is undone before the opening that it followed, and restores its tag', async () => {
    const host = encrypted();
    const before = host.snapshot();

    await undone(host, async (tx) => {
      const { name } = await tx.crypt.open({ device, key });
      await tx.crypt.close({ name, key });
    });

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      ...['cryptsetup open', 'dmsetup rename', 'cryptsetup close'],
      ...['cryptsetup open', 'dmsetup rename', 'cryptsetup close'],
    ]);
  });

  it('names the holder, and does nothing', async () => {
    const host = opened();
    host.admin.format('/dev/mapper/mine', { type: 'ext4', usage: 'filesystem', version: '1.0' });
    host.admin.mkdir('/mnt/x');
    host.admin.mount('/dev/mapper/mine', '/mnt/x');

    for (const run of [
      () => on(host, (tx) => tx.crypt.close({ name: 'mine', key })),
      () => on(host, (tx) => tx.crypt.closeAfterCommit({ name: 'mine' })),
    ])
      expect(String(await rejectionOf(run()))).toContain('is in use: mounted on /mnt/x');
    expect(programsOf(host)).toEqual([]);
  });

  it('is stuck when the key is wrong now, and recovered once it fits', async () => {
    const host = opened();
    const before = host.snapshot();

    const error = await rejectionOf(undone(host, (tx) => tx.crypt.close({ name: 'mine', key: otherKey })));
    expect(String(error)).toContain('StuckError');
    host.admin.writeFile('/etc/other-key', 'geheim', 0o600);
    host.kill();
    expect(await recoverAll(host.restart())).toEqual({ how: 'done' });
    host.admin.writeFile('/etc/other-key', 'anders', 0o600);

    expect(host.snapshot()).toBe(before);
  });

  it('shows how to open it by hand as it was open', async () => {
    const host = opened();
    const [mapping] = host.world.mappings;
    if (mapping !== undefined) Object.assign(mapping, { name: 'yours', mode: 'ro' });
    host.world.revision += 1;
    const undo = await Promise.resolve(
      close.prepare({ args: { name: 'yours', key }, mark: 'bofh.x.1', host, chosen: undefined }),
    );

    expect(
      closedRecovery({
        undo: { ...(undo as Parameters<typeof closedRecovery>[0]['undo']), flags: ['discards'] },
      }).clear,
    ).toEqual([
      ['cryptsetup', 'open', '--readonly', '--allow-discards', '/dev/mapper/vg0-web1', 'mine'],
      ['dmsetup', 'rename', 'mine', 'yours'],
    ]);
  });

  it('leaves alone a mapping that others opened since', async () => {
    const host = opened();

    await undone(host, async (tx) => {
      await tx.crypt.close({ name: 'mine', key });
      host.admin.luksOpen(device, 'theirs');
    });

    expect(names(host)).toEqual(['theirs']);
  });

  it('is refused for a closed device, and for an invalid name', async () => {
    const host = encrypted();

    expect(String(await rejectionOf(on(host, (tx) => tx.crypt.close({ name: 'mine', key }))))).toContain(
      'no encrypted device is open as mine',
    );
    await expect(on(host, (tx) => tx.crypt.close({ name: '/dev/dm-0', key }))).rejects.toThrow(
      'is not a name of an open',
    );
  });
});

describe('crypt.closeAfterCommit', () => {
  it('closes after the commit, and not when a step fails', async () => {
    const failed = opened();
    await undone(failed, (tx) => tx.crypt.closeAfterCommit({ name: 'mine' }));
    expect(names(failed)).toEqual(['mine']);
    expect(programsOf(failed)).toEqual([]);

    const host = opened();
    await on(host, async (tx) => {
      await tx.crypt.closeAfterCommit({ name: 'mine' });
      expect(names(host)).toEqual(['mine']);
    });
    expect(names(host)).toEqual([]);
  });

  it('leaves alone a mapping of the same name that a later boot opened', async () => {
    const host = opened();
    host.fault({ tool: 'cryptsetup', mode: 'crash here' });
    await rejectionOf(on(host, (tx) => tx.crypt.closeAfterCommit({ name: 'mine' })));
    host.clearFaults();
    const booted = host.reboot();
    booted.admin.luksOpen(device, 'mine');

    expect(await recoverAll(booted)).toEqual({ how: 'done' });

    expect(names(booted)).toEqual(['mine']);
  });

  it('is used by the module without a key', async () => {
    const host = opened();
    await withBofh({ ...simulatedBofh({ host }), signals: {} }, () => crypt.close({ name: 'mine' }));
    expect(names(host)).toEqual([]);
  });
});
