import { describe, expect, it } from 'vitest';
import { identityOf } from '../../../src/blockdevice/index.ts';
import { open } from '../../../src/crypt/operations/open.ts';
import { crypt } from '../../../src/index.ts';
import { withBofh } from '../../../src/bofh.ts';
import { IdentityTaken, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { parseSite } from '../../../src/site.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { recoverAll } from '../../../src/simulator/matrix/trial.ts';
import { rejectionOf } from '../../support/rejection.ts';
import {
  blankVolume,
  device,
  encrypted,
  key,
  on,
  otherKey,
  programsOf,
  refusalOf,
  undone,
  uuid,
} from './support.ts';

const names = (host: SimulatedHost): readonly string[] => host.world.mappings.map(({ name }) => name);
const causeOf = (error: unknown): string => String((error as Error).cause ?? error);

const refused = (host: SimulatedHost, args: object) =>
  refusalOf(host, () => on(host, (tx) => tx.crypt.open({ device, key, ...args })));

describe('crypt.open', () => {
  it.each([1, 2] as const)(
    'opens a LUKS%d device under the name of its device with -luks',
    async (version) => {
      const host = encrypted(version);

      const opened = await on(host, (tx) => tx.crypt.open({ device, key }));

      expect(opened).toEqual({ name: 'vg0-web1-luks', path: '/dev/mapper/vg0-web1-luks', adopted: false });
      expect(host.world.mappings).toMatchObject([{ name: 'vg0-web1-luks', mode: 'rw' }]);
      expect(host.world.mappings[0]?.dmUuid).toMatch(
        new RegExp(`^CRYPT-LUKS${version}-${uuid.replaceAll('-', '')}-bofh\\.[0-9a-f]{12}\\.1$`),
      );
    },
  );

  it('asks device-mapper for the name, whose hyphens are doubled', async () => {
    const host = encrypted();
    host.admin.lvrename('vg0', 'web1', 'web-1');

    expect((await on(host, (tx) => tx.crypt.open({ device: '/dev/vg0/web-1', key }))).name).toBe(
      'vg0-web--1-luks',
    );
  });

  it('uses the UUID in the name for other devices', async () => {
    const host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }] });
    host.admin.writeFile('/etc/key', 'geheim');
    host.admin.luksFormat({ device: '/dev/vdz', uuid, key: 'geheim' });

    expect((await on(host, (tx) => tx.crypt.open({ device: '/dev/vdz', key }))).name).toBe(`luks-${uuid}`);
  });

  it('takes the next name when the first is used, or the given one', async () => {
    const host = encrypted();
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 16 });
    host.admin.luksFormat({ device: '/dev/vg0/other', uuid: uuid.replace('5', '6'), key: 'x' });
    host.admin.luksOpen('/dev/vg0/other', 'vg0-web1-luks');

    expect(String(await refused(host, { name: 'vg0-web1-luks' }))).toContain('is taken: the device dm-');
    expect((await on(host, (tx) => tx.crypt.open({ device, key }))).name).toBe('vg0-web1-luks-2');
  });

  it('takes another name when the first is used at the last moment', async () => {
    const host = encrypted();
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 16 });
    host.admin.luksFormat({ device: '/dev/vg0/other', uuid: uuid.replace('5', '6'), key: 'x' });
    let done = false;
    host.faults.watch(({ tool }) => {
      if (tool !== 'dmsetup' || done) return;
      done = true;
      host.admin.luksOpen('/dev/vg0/other', 'vg0-web1-luks');
    });

    const opened = await on(host, (tx) => tx.crypt.open({ device, key }));

    expect(opened.name).toBe('vg0-web1-luks-2');
    expect([...names(host)].sort()).toEqual(['vg0-web1-luks', 'vg0-web1-luks-2']);
  });

  it('takes another name when the first is used between the checks', async () => {
    const host = encrypted();
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 8 });
    host.admin.luksFormat({ device: '/dev/vg0/other', uuid: uuid.replace('5', '6'), key: 'anders' });
    const prepare = (chosen: unknown) =>
      Promise.resolve(open.prepare({ args: { device, key }, mark: 'bofh.x.1', host, chosen }));
    const chosen = await prepare(undefined);
    host.admin.luksOpen('/dev/vg0/other', 'vg0-web1-luks');

    expect(await rejectionOf(prepare(chosen))).toBeInstanceOf(IdentityTaken);
  });

  it('uses the name of the site file when called directly', async () => {
    const host = encrypted();
    const site = parseSite({ luksNaming: '{name}-plain' }, 'the test');

    const opened = await withBofh({ ...simulatedBofh({ host, site }), signals: {} }, () =>
      crypt.open({ device, key }),
    );

    expect(opened.name).toBe('vg0-web1-plain');
    // What is open keeps its name, also against the site file.
    host.admin.luksClose('vg0-web1-plain');
    host.admin.luksOpen(device, 'mine');
    const again = await withBofh({ ...simulatedBofh({ host, site }), signals: {} }, () =>
      crypt.open({ device, key }),
    );
    expect(again).toEqual({ name: 'mine', path: '/dev/mapper/mine', adopted: true });
  });

  it('is undone by closing it', async () => {
    const host = encrypted();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.open({ device, key }));

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host).at(-1)).toBe('cryptsetup close vg0-web1-luks');
  });

  it('adopts an open device without a key, and does not close it', async () => {
    const host = encrypted();
    host.admin.luksOpen(device, 'by-hand');

    await undone(host, async (tx) => {
      const none = { from: 'file', path: '/etc/none' } as const;
      expect(await tx.crypt.open({ device, key: none })).toEqual({
        ...{ name: 'by-hand', path: '/dev/mapper/by-hand', adopted: true },
      });
    });

    expect(names(host)).toEqual(['by-hand']);
    expect(programsOf(host)).toEqual([]);
  });

  it.each([
    [{ name: 'mine' }, 'and not as mine'],
    [{ mode: 'ro' }, 'read/write'],
  ])('does not adopt a device that is open with other options than %j', async (args, words) => {
    const host = encrypted();
    host.admin.luksOpen(device, 'by-hand');

    expect(String(await refused(host, args))).toContain(words);
  });

  it('with a wrong key is undone, and says so', async () => {
    const host = encrypted();
    const before = host.snapshot();

    const error = await rejectionOf(on(host, (tx) => tx.crypt.open({ device, key: otherKey })));

    expect(causeOf(error)).toContain('No key available with this passphrase');
    expect(host.snapshot()).toBe(before);
  });

  it('refuses a device that is not encrypted, or mounted, and a missing key', async () => {
    expect(String(await refused(blankVolume(), {}))).toContain('is not a LUKS device: it holds nothing');
    expect(await refused(encrypted(), { key: { from: 'file', path: '/etc/none' } })).toBeInstanceOf(
      RefusedError,
    );
  });

  it.each(['', 'a/b', '-x', 'a b', 'control', 'bofh.1', '..', 'x'.repeat(128)])(
    'refuses the name %j',
    async (name) => {
      expect(await refused(encrypted(), { name })).toBeInstanceOf(UsageError);
    },
  );

  it('is refused when a file has that name in /dev/mapper', async () => {
    const host = encrypted();
    const odd = {
      ...host,
      stat: async (path: string) => host.stat(path === '/dev/mapper/mine' ? '/etc/key' : path),
    };

    expect(
      causeOf(await rejectionOf(on(odd, (tx) => tx.crypt.open({ device, key, name: 'mine' })))),
    ).toContain('a file is there');
  });

  it('leaves alone a newer mapping of the same name, also with a similar UUID', async () => {
    const host = encrypted();

    await undone(host, async (tx) => {
      const { name } = await tx.crypt.open({ device, key });
      host.admin.luksClose(name);
      host.admin.luksOpen(device, name);
    });

    expect(names(host)).toEqual(['vg0-web1-luks']);
    expect(programsOf(host).filter((line) => line.includes('close'))).toEqual([]);
  });

  it('is closed under its current name', async () => {
    const host = encrypted();

    await undone(host, async (tx) => {
      await tx.crypt.open({ device, key });
      const [mapping] = host.world.mappings;
      if (mapping !== undefined) mapping.name = 'renamed';
      host.world.revision += 1;
    });

    expect(names(host)).toEqual([]);
  });

  it('is not closed while in use: recovery does it once it is free', async () => {
    const host = encrypted();
    host.admin.mkdir('/mnt/x');

    const error = await rejectionOf(
      undone(host, async (tx) => {
        const { path } = await tx.crypt.open({ device, key });
        host.admin.format(path, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
        host.admin.mount(path, '/mnt/x');
      }),
    );
    expect(String(error)).toContain('StuckError');
    expect(names(host)).toEqual(['vg0-web1-luks']);

    host.admin.umount('/mnt/x');
    host.kill();
    expect(await recoverAll(host.restart())).toEqual({ how: 'done' });
    expect(names(host)).toEqual([]);
  });

  it('killed between opening and renaming is found by its tag, and closed', async () => {
    const host = encrypted();
    const before = host.snapshot();
    host.fault({ tool: 'dmsetup', mode: 'crash here' });

    await rejectionOf(on(host, (tx) => tx.crypt.open({ device, key })));
    expect(names(host)[0]).toMatch(/^bofh\.[0-9a-f]{12}\.1$/);
    const after = host.restart();
    host.clearFaults();
    expect(await recoverAll(after)).toEqual({ how: 'done' });

    expect(after.snapshot()).toBe(before);
  });

  it('needs no undo after a reboot, and keeps a mapping that the boot opened', async () => {
    const host = encrypted();
    host.fault({ tool: 'dmsetup', mode: 'acts then crash' });
    await rejectionOf(on(host, (tx) => tx.crypt.open({ device, key })));
    host.clearFaults();
    const booted = host.reboot();
    booted.admin.luksOpen(device, 'vg0-web1-luks');

    expect(await recoverAll(booted)).toEqual({ how: 'done' });

    expect(names(booted)).toEqual(['vg0-web1-luks']);
  });

  it.each([
    [
      'a removed device',
      { adopted: null, removed: true },
      `the volume ${device} was removed`,
      'see which backups of its volume group have it: vgcfgrestore --list VG',
    ],
    [
      'a device that was open before the sequence',
      { adopted: 'CRYPT-LUKS2-x-web1', removed: false },
      `${device} was already open before this sequence, and is closed now`,
      `open it again: cryptsetup open --readonly ${device} web1`,
    ],
  ])(
    'after a boot, names what prevents opening %s again',
    async (_, { adopted, removed }, message, remedy) => {
      const host = encrypted();
      const { identity } = await identityOf(host, device);
      if (removed) host.admin.lvremove('vg0', 'web1');
      const undo = {
        device,
        identity,
        luksUuid: uuid,
        mark: 'bofh.5e1f00000000.1',
        mode: 'ro',
        name: 'web1',
        adopted,
      };

      const error = await rejectionOf(Promise.resolve(open.again?.({ undo: { ...undo, mode: 'ro' }, host })));
      expect(error).toMatchObject({ message, remedy });
    },
  );
});
