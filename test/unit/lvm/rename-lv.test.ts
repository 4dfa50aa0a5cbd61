import { beforeEach, describe, expect, test } from 'vitest';
import { CommandError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { renameLv } from '../../../src/lvm/operations.ts';
import { quiet, virtual } from '../blockdevice/tree-host.ts';
import { type FakeLv, FakeLvm, lvmUuid } from './fake-lvm.ts';

const mark = 'bofh.0a1b.2';
const args = { vg: 'vg0', name: 'web1', to: 'web2' };
const dmUuid = `LVM-${`${lvmUuid(900)}${lvmUuid(1)}`.replaceAll('-', '')}`;
const dm0 = virtual('dm-0', '253:0', { 'dm/name': 'vg0-web1\n', 'dm/uuid': `${dmUuid}\n` });
let lvm = new FakeLvm();
let host = lvm.host(dm0);
let web1: FakeLv;

beforeEach(() => {
  lvm = new FakeLvm();
  host = lvm.host(dm0);
  web1 = lvm.add({ name: 'web1', active: true, extents: 3 });
});

const prepare = (more: { readonly to?: string; readonly uuid?: string } = {}) =>
  renameLv.prepare({ args: { ...args, ...more }, mark, host });
const run = async () => {
  const undo = await prepare();
  await renameLv.run({ args, undo, host });
  return undo;
};
const look = async (undo: unknown) => (await renameLv.look({ undo, host })).state;

describe('renameLv', () => {
  test('renames the volume, and back; repeated calls change nothing', async () => {
    const undo = await run();
    expect([lvm.names(), await look(undo)]).toEqual([['web2'], 'ours']);

    for (const _ of ['once', 'twice']) {
      await renameLv.revert({ undo, host });
      expect([lvm.names(), await look(undo)]).toEqual([['web1'], 'gone']);
    }
    expect(lvm.ran).toEqual(['lvrename vg0 web1 web2', 'lvrename vg0 web2 web1']);
  });

  test('reports its new path', async () => {
    const undo = await prepare();
    expect(renameLv.value({ args, undo, result: null })).toEqual({
      ...{ vg: 'vg0', name: 'web2', path: '/dev/vg0/web2', uuid: web1.uuid },
    });
  });

  test('locks both names, and needs the group and everything beneath', async () => {
    const on = async () => ({ key: 'lv:vg0/web1', beneath: ['vg:vg0', 'dev:vdb'] });
    expect(await renameLv.claims({ args, undo: await prepare(), on })).toEqual({
      makes: ['lv:vg0/web2'],
      changes: ['lv:vg0/web1'],
      needs: ['vg:vg0', 'dev:vdb'],
    });
  });

  test('locks an inactive one, which has no device, by its name; any other failure is an error', async () => {
    web1.active = false;
    const failing = (reason: 'not-found' | 'denied') => async (): Promise<never> => {
      throw new CommandError({ tool: 'stat', argv: [], reason });
    };
    const undo = await prepare();

    expect(await renameLv.claims({ args, undo, on: failing('not-found') })).toMatchObject({
      changes: ['lv:vg0/web1'],
      needs: ['vg:vg0'],
    });
    await expect(renameLv.claims({ args, undo, on: failing('denied') })).rejects.toThrow(CommandError);
  });

  test('syncs the metadata', async () => {
    await renameLv.sync({ undo: await run(), host });
    expect(lvm.synced).toEqual(['/dev/vdb']);
  });

  test('names the manual undo, from facts known before the act', async () => {
    const told = renameLv.describe?.({ undo: await prepare(), way: 'back' });
    expect(told?.what).toContain(web1.uuid);
    expect(told?.look.flat().join(' ')).toContain(`lv_uuid=${web1.uuid}`);
    expect(told?.clear).toEqual([['lvrename', 'vg0', 'web2', 'web1']]);
  });
});

describe('renameLv is refused, and runs nothing,', () => {
  test.each([
    ['is not there', () => (web1.name = 'other'), /no logical volume vg0\/web1/],
    [
      'lvm cannot tell of whether it is active',
      () => (web1.active = 'unknown'),
      /cannot tell whether vg0\/web1/,
    ],
    ['is part of another one', () => (web1.role = 'private,thin,pool,data'), /part of another volume/],
  ])('for a volume that %s', async (_, arrange, message) => {
    arrange();
    await expect(prepare()).rejects.toThrow(message);
    expect(lvm.ran).toEqual([]);
  });

  test('for another volume than expected', async () => {
    await expect(prepare({ uuid: lvmUuid(77) })).rejects.toThrow(`its uuid is ${web1.uuid}`);
    await expect(prepare({ uuid: web1.uuid })).resolves.toMatchObject({ lvUuid: web1.uuid });
  });

  test('for the name of another volume, which is named', async () => {
    const other = lvm.add({ name: 'web2' });
    await expect(prepare()).rejects.toThrow(`vg0/web2 exists already (uuid ${other.uuid}`);
  });

  test.each(['/dev/vg0/web2', '/dev/mapper/vg0-web2'])('when a file is at %s', async (path) => {
    host = lvm.host({ ...dm0, [path]: 'somebody else’s' });
    await expect(prepare()).rejects.toThrow(`${path} exists, although lvm has no vg0/web2`);
    expect(lvm.ran).toEqual([]);
  });

  test.each(['web1', 'snapshot2', 'a/b', '-x', 'x_tdata', ''])('for the new name "%s"', async (to) => {
    await expect(prepare({ to })).rejects.toBeInstanceOf(UsageError);
  });

  test('when the volume is renamed, removed, or its name taken, between check and act', async () => {
    const undo = await prepare();
    const act = () => renameLv.run({ args, undo, host });

    web1.name = 'mine';
    await expect(act()).rejects.toThrow(/was renamed to vg0\/mine concurrently; nothing was done/);
    web1.name = 'web1';
    const other = lvm.add({ name: 'web2' });
    await expect(act()).rejects.toThrow(`uuid ${other.uuid}`);
    lvm.lvs = [other, { ...web1, uuid: lvmUuid(77) }];
    await expect(act()).rejects.toThrow(/is gone/);

    expect(lvm.ran).toEqual([]);
  });
});

describe('a program that exits 0 and does nothing is noticed', () => {
  test.each(['act', 'undo'])('in the %s', async (when) => {
    const undo = when === 'act' ? await prepare() : await run();
    const lying: typeof host = {
      ...host,
      run: (command) =>
        command.tool === 'lvrename'
          ? Promise.resolve(command.parse({ exitCode: 0, stdout: '', stderr: '' }))
          : host.run(command),
    };

    const work =
      when === 'act' ? renameLv.run({ args, undo, host: lying }) : renameLv.revert({ undo, host: lying });

    await expect(work).rejects.toThrow(/lvrename did not rename/);
    expect(await look(undo)).toBe(when === 'act' ? 'gone' : 'ours');
  });
});

// As lvrename leaves it when device-mapper has a device of the new name: test/fixtures/lvm/lvrename-dm-name-taken@2.03.16.json.
describe('an interrupted rename, with the device under the old name and a foreign one under the new,', () => {
  const foreign = virtual('dm-1', '253:1', { 'dm/name': 'vg0-web2\n', 'dm/uuid': '\n' });
  const mounted = '36 22 253:1 / /srv rw,relatime - ext4 /dev/mapper/vg0-web2 rw\n';
  const links = { '/dev/mapper/vg0-web1': '-> ../dm-0', '/dev/mapper/vg0-web2': '-> ../dm-1' };
  const half = async () => {
    const undo = await prepare();
    Object.assign(web1, { name: 'web2', dmPath: '/dev/mapper/vg0-web2' });
    const mountinfo = `${quiet['/proc/self/mountinfo'] ?? ''}${mounted}`;
    host = lvm.host({ ...dm0, ...foreign, ...links, '/proc/self/mountinfo': mountinfo });
    return undo;
  };

  test('is ours, and holders of the foreign device are no holders of it', async () => {
    expect(await renameLv.look({ undo: await half(), host })).toEqual({ state: 'ours', holders: [] });
  });

  test('is undone: its own device does not block it', async () => {
    const undo = await half();

    await renameLv.revert({ undo, host });

    expect(lvm.ran).toEqual(['lvrename vg0 web2 web1']);
    expect(await look(undo)).toBe('gone');
  });

  test('is not undone while another device or a file has the old name', async () => {
    const undo = await half();
    for (const there of ['-> ../dm-1', 'a file', '-> nowhere']) {
      host = lvm.host({ ...dm0, ...foreign, ...links, '/dev/mapper/vg0-web1': there });
      await expect(renameLv.revert({ undo, host })).rejects.toThrow(/\/dev\/mapper\/vg0-web1 exists/);
    }
    expect(lvm.ran).toEqual([]);
  });
});

describe('concurrent changes', () => {
  test('a volume that took the old name is named, and stays', async () => {
    const undo = await run();
    const other = lvm.add({ name: 'web1' });

    const failure = await renameLv.revert({ undo, host }).catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(RefusedError);
    expect(String(failure)).toContain(`vg0/web1 exists already (uuid ${other.uuid}`);
    expect(lvm.names()).toEqual(['web1', 'web2']);
    expect(await look(undo)).toBe('ours');
  });

  test('a third name stays', async () => {
    const undo = await run();
    web1.name = 'mine';

    expect(await renameLv.look({ undo, host })).toMatchObject({
      state: 'not-ours',
      found: `it was renamed to vg0/mine (uuid ${web1.uuid})`,
    });
    await renameLv.revert({ undo, host });
    expect(lvm.names()).toEqual(['mine']);
  });

  test('a foreign volume of the new name is not touched when ours was removed', async () => {
    const undo = await run();
    web1.uuid = lvmUuid(77);

    expect(await look(undo)).toBe('gone');
    await renameLv.revert({ undo, host });
    expect(lvm.names()).toEqual(['web2']);
  });

  test('a group that was removed leaves nothing to report', async () => {
    const undo = await run();
    lvm.vg.present = false;
    lvm.lvs = [];
    await expect(renameLv.look({ undo, host })).rejects.toThrow(/cannot read its volumes/);
  });
});
