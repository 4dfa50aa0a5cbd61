import { beforeEach, describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/core/errors.ts';
import { removeLv } from '../../../src/lvm/operations.ts';
import { virtual } from '../blockdevice/tree-host.ts';
import { FakeLvm, type FakeLv } from './fake-lvm.ts';

const mark = 'bofh.0a1b.2';
const gone = 'bofh_gone_0a1b_2';
const args = { vg: 'vg0', name: 'web1' };
const dm0 = virtual('dm-0', '253:0');
let lvm = new FakeLvm();
let host = lvm.host(dm0);
let web1: FakeLv;

beforeEach(() => {
  lvm = new FakeLvm();
  host = lvm.host(dm0);
  web1 = lvm.add({ name: 'web1', active: true, extents: 3 });
});

const prepare = () => removeLv.prepare({ args, mark, host });
const run = async () => {
  const undo = await prepare();
  await removeLv.run({ args, undo, host });
  return undo;
};
const state = ({ name, active, auto }: FakeLv) => ({ name, active, auto });
const original = { name: 'web1', active: true, auto: true };

describe('removeLv', () => {
  test('leaves a tombstone that is not activated at boot, until the commit', async () => {
    const undo = await run();
    expect(state(web1)).toEqual({ name: gone, active: false, auto: false });
    expect(await removeLv.look({ undo, host })).toMatchObject({ state: 'ours' });
    await removeLv.afterCommit({ undo, host });
    expect(lvm.names()).toEqual([]);
    expect(await removeLv.look({ undo, host })).toEqual({ state: 'gone' });
    await expect(removeLv.afterCommit({ undo, host })).resolves.toBeUndefined();
  });

  test.each([
    { active: true, auto: true },
    { active: true, auto: false },
    { active: false, auto: true },
    { active: false, auto: false },
  ])('restores the exact state of %j', async (was) => {
    Object.assign(web1, was);
    const undo = await run();
    await removeLv.revert({ undo, host });
    expect(state(web1)).toEqual({ name: 'web1', ...was });
    expect(await removeLv.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('creates its waiting name, changes the volume, and needs its group and everything beneath', async () => {
    const on = async () => ({ key: 'lv:vg0/web1', beneath: ['vg:vg0', 'dev:vdb'] });
    expect(await removeLv.claims({ args, undo: await prepare(), on })).toEqual({
      makes: [expect.stringMatching(/^lv:vg0\/bofh_gone_/)],
      changes: ['lv:vg0/web1'],
      needs: ['vg:vg0', 'dev:vdb'],
    });
    web1.active = false;
    const nowhere = async (): Promise<never> => Promise.reject(new Error('no such device'));
    expect(await removeLv.claims({ args, undo: await prepare(), on: nowhere })).toEqual({
      makes: [expect.stringMatching(/^lv:vg0\/bofh_gone_/)],
      changes: ['lv:vg0/web1'],
      needs: ['vg:vg0'],
    });
  });

  test.each([
    ['is not there', () => (web1.name = 'other'), /no logical volume vg0\/web1/],
    ['is open', () => (web1.open = true), /in use: open/],
    ['has a snapshot', () => lvm.add({ name: 'snap', origin: web1.uuid }), /would be removed too: vg0\/snap/],
    ['is being merged', () => (web1.columns = { lv_merging: 'merging' }), /is being merged/],
    ['is part of another one', () => (web1.role = 'private,thin,pool,data'), /part of another/],
  ])('is refused for a volume that %s', async (_, arrange, message) => {
    arrange();
    await expect(prepare()).rejects.toThrow(message);
    expect(lvm.ran).toEqual([]);
  });

  test('is refused when it is opened between check and act', async () => {
    const undo = await prepare();
    web1.open = true;
    await expect(removeLv.run({ args, undo, host })).rejects.toThrow(RefusedError);
    expect(await removeLv.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('does not touch another volume of that name', async () => {
    const undo = await prepare();
    web1.uuid = '000077-aaaa-bbbb-cccc-dddd-eeee-ffffff';
    await expect(removeLv.run({ args, undo, host })).rejects.toThrow(/is gone/);
    expect(lvm.ran).toEqual([]);
  });
});

// Each change may be the last one before a kill, in the act and in its undo.
describe('a kill', () => {
  const killAt = (n: number) => {
    let count = 0;
    lvm.before = () => {
      count += 1;
      if (count > n) throw new Error('killed');
    };
  };

  test.each([0, 1, 2, 3])('after %i changes of the act leaves a state that the undo restores', async (n) => {
    const undo = await prepare();
    killAt(n);
    await removeLv.run({ args, undo, host }).catch(() => undefined);
    killAt(99);
    const { state: seen } = await removeLv.look({ undo, host });
    expect(seen).toBe(n === 0 ? 'gone' : 'ours');
    await removeLv.revert({ undo, host });
    expect(state(web1)).toEqual(original);
  });

  test.each([0, 1, 2])('after %i changes of the undo is repaired by the next one', async (n) => {
    const undo = await run();
    killAt(n);
    await expect(removeLv.revert({ undo, host })).rejects.toThrow('killed');
    killAt(99);
    expect(await removeLv.look({ undo, host })).toMatchObject({ state: 'ours' });
    await removeLv.revert({ undo, host });
    expect(state(web1)).toEqual(original);
    expect(await removeLv.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test.each([
    { was: { active: true, auto: true }, after: { active: true, auto: true } },
    { was: { active: false, auto: true }, after: { active: true, auto: true } },
    { was: { active: true, auto: false }, after: { active: false, auto: false } },
  ])('and another boot: $was becomes what that boot would have made of it', async ({ was, after }) => {
    Object.assign(web1, was);
    const undo = await run();
    lvm.boot = 'boot-2';
    await removeLv.revert({ undo, host });
    expect(state(web1)).toEqual({ name: 'web1', ...after });
    expect(await removeLv.look({ undo, host })).toEqual({ state: 'gone' });
  });

  test('and another boot: notices an activation that exits 0 and does nothing', async () => {
    const undo = await run();
    lvm.boot = 'boot-2';
    const lying: typeof host = {
      ...host,
      run: (command) =>
        command.argv.includes('--activate')
          ? Promise.resolve(command.parse({ exitCode: 0, stdout: '', stderr: '' }))
          : host.run(command),
    };

    await expect(removeLv.revert({ undo, host: lying })).rejects.toThrow('did not activate vg0/web1');

    expect(await removeLv.look({ undo, host })).toMatchObject({ state: 'ours' });
    await removeLv.revert({ undo, host });
    expect(state(web1)).toEqual(original);
  });
});

describe('concurrent changes', () => {
  test('a volume that took the name is named, and nothing is overwritten', async () => {
    const undo = await run();
    const other = lvm.add({ name: 'web1' });
    const failure = await removeLv.revert({ undo, host }).catch((error: unknown) => error);
    expect(String(failure)).toContain(web1.uuid);
    expect(String(failure)).toContain(other.uuid);
    expect(lvm.names()).toEqual([gone, 'web1']);
  });

  test('a renamed tombstone is left untouched', async () => {
    const undo = await run();
    web1.name = 'mine';
    expect(await removeLv.look({ undo, host })).toMatchObject({ state: 'not-ours' });
    await removeLv.revert({ undo, host });
    await expect(removeLv.afterCommit({ undo, host })).rejects.toThrow(/renamed to vg0\/mine/);
    expect(lvm.names()).toEqual(['mine']);
  });

  test('a snapshot of the tombstone stays', async () => {
    const undo = await run();
    lvm.add({ name: 'snap', origin: web1.uuid });
    await expect(removeLv.afterCommit({ undo, host })).rejects.toThrow(/would be removed too/);
    expect(lvm.names()).toEqual([gone, 'snap']);
  });

  test('a group that was removed leaves nothing to report', async () => {
    const undo = await run();
    lvm.lvs = [];
    expect(await removeLv.look({ undo, host })).toEqual({ state: 'gone' });
    lvm.vg.present = false;
    await expect(removeLv.look({ undo, host })).rejects.toThrow(/cannot read its volumes/);
  });
});
