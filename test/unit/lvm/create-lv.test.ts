import { beforeEach, describe, expect, test } from 'vitest';
import { CommandError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { createLv } from '../../../src/lvm/operations.ts';
import { virtual } from '../blockdevice/tree-host.ts';
import { FakeLvm } from './fake-lvm.ts';

const mark = 'bofh.0a1b.1';
const args = { vg: 'vg0', name: 'web1', size: '10m' };
// The device itself, without the links of its name, which would block a new volume.
const dm0 = virtual('dm-0', '253:0');
let lvm = new FakeLvm();
let host = lvm.host(dm0);

beforeEach(() => {
  lvm = new FakeLvm();
  host = lvm.host(dm0);
});

const prepare = async (more: object = {}) =>
  createLv.prepare({ args: createLv.parseArgs({ ...args, ...more }), mark, host });
const made = async () => {
  const undo = await prepare();
  return { undo, result: await createLv.run({ args, undo, host }) };
};

describe('createLv', () => {
  test('rounds up to extents, and reports the result', async () => {
    const { undo, result } = await made();
    expect(undo).toMatchObject({ tag: mark, extents: 3, size: 12 * 1024 ** 2, vgUuid: lvm.vg.uuid });
    expect(createLv.value({ args, undo, result })).toEqual({
      ...{ vg: 'vg0', name: 'web1', path: '/dev/vg0/web1' },
      ...{ size: 12 * 1024 ** 2, uuid: lvm.lvs[0]?.uuid },
    });
    expect(lvm.lvs).toMatchObject([{ name: 'web1', tags: [mark], extents: 3 }]);
  });

  test('creates two concurrently in one group, but not of one name', async () => {
    const undo = await prepare();
    const on = async (): Promise<never> => Promise.reject(new Error('no device yet'));
    expect(await createLv.claims({ args, undo, on })).toEqual({ makes: ['lv:vg0/web1'], needs: ['vg:vg0'] });
    expect(createLv.contains({ args, undo })).toBe('lv:vg0/web1');
  });

  test('adds the given tags to its own', async () => {
    const undo = await prepare({ tags: ['role=web'] });
    await createLv.run({ args: { ...args, tags: ['role=web'] }, undo, host });
    expect(lvm.lvs[0]?.tags).toEqual([mark, 'role=web']);
  });

  test.each([
    [{ name: '../x' }, UsageError],
    [{ size: '10x' }, UsageError],
    [{ size: 0 }, UsageError],
    [{ tags: ['bofh.x.1'] }, UsageError],
    [{ vg: 'other' }, RefusedError],
  ])('refuses %j before anything runs', async (more, error) => {
    await expect(prepare(more)).rejects.toThrow(error);
    expect(lvm.ran).toEqual([]);
  });

  test('names the volume that has the name', async () => {
    const { uuid } = lvm.add({ name: 'web1', extents: 2 });
    await expect(prepare()).rejects.toThrow(`vg0/web1 exists already (uuid ${uuid}, 8 MiB)`);
  });

  test('reports the needed and the free space', async () => {
    lvm.add({ name: 'big', extents: 98 });
    await expect(prepare()).rejects.toThrow('needs 12 MiB (3 extents); vg0 has 8 MiB (2 extents) free');
  });

  test('uses the last free extents', async () => {
    lvm.add({ name: 'big', extents: 97 });
    await expect(prepare()).resolves.toBeDefined();
  });

  test.each(['exported', 'partial'] as const)('refuses a group that is %s', async (state) => {
    lvm.vg[state] = true;
    await expect(prepare()).rejects.toThrow(RefusedError);
  });

  test.each(['/dev/vg0/web1', '/dev/mapper/vg0-web1'])('refuses a name when %s exists', async (path) => {
    host = lvm.host({ [path]: 'something' });
    await expect(prepare()).rejects.toThrow(`${path} exists`);
  });

  test('names a volume that was created between the listing and the look at its node', async () => {
    const plain = lvm.host(dm0);
    host = {
      ...plain,
      stat: async (path) => {
        if (path !== '/dev/mapper/vg0-web1') return plain.stat(path);
        lvm.add({ name: 'web1', extents: 2 });
        return lvm.host({ [path]: 'something' }).stat(path);
      },
    };

    await expect(prepare()).rejects.toThrow('vg0/web1 exists already');
  });

  test('creates nothing in another group of that name', async () => {
    const undo = await prepare();
    Object.assign(lvm.vg, { uuid: 'zzzzzz-aaaa-bbbb-cccc-dddd-eeee-ffffff' });
    await expect(createLv.run({ args, undo, host })).rejects.toThrow(/another volume group/);
    expect(lvm.ran).toEqual([]);
  });
});

describe('look of createLv', () => {
  test('is gone before, ours after, and gone after the undo; with and without a result', async () => {
    const undo = await prepare();
    expect(await createLv.look({ undo, host })).toEqual({ state: 'gone' });
    const result = await createLv.run({ args, undo, host });
    expect(await createLv.look({ undo, host })).toMatchObject({ state: 'ours' });
    expect(await createLv.look({ undo, result, host })).toMatchObject({ state: 'ours' });
    await createLv.revert({ undo, host });
    expect(await createLv.look({ undo, result, host })).toEqual({ state: 'gone' });
    expect(lvm.names()).toEqual([]);
  });

  test('does not treat a foreign volume of the name as ours, and the undo leaves it untouched', async () => {
    const undo = await prepare();
    const { uuid } = lvm.add({ name: 'web1' });
    const look = await createLv.look({ undo, host });
    expect(look.state).toBe('not-ours');
    expect(look.found).toContain(uuid);
    await createLv.revert({ undo, host });
    expect(lvm.names()).toEqual(['web1']);
  });

  test('finds our volume under another name, and leaves alone the new owner of its name', async () => {
    const { undo, result } = await made();
    Object.assign(lvm.lvs[0] ?? {}, { name: 'renamed' });
    lvm.add({ name: 'web1' });
    expect(await createLv.look({ undo, result, host })).toMatchObject({
      state: 'ours',
      movedTo: 'lv:vg0/renamed',
    });
    await createLv.revert({ undo, result, host });
    expect(lvm.names()).toEqual(['web1']);
  });

  test('treats a volume without its tag as foreign', async () => {
    const { undo, result } = await made();
    Object.assign(lvm.lvs[0] ?? {}, { tags: [], name: 'renamed' });
    expect(await createLv.look({ undo, result, host })).toMatchObject({ state: 'not-ours' });
    await createLv.revert({ undo, result, host });
    expect(lvm.names()).toEqual(['renamed']);
  });

  test('does not choose between two volumes with the tag, but recognises its own by the UUID', async () => {
    const { undo, result } = await made();
    lvm.add({ name: 'copy', tags: [mark] });
    await expect(createLv.look({ undo, host })).rejects.toThrow(/both have the tag/);
    await createLv.revert({ undo, result, host });
    expect(lvm.names()).toEqual(['copy']);
  });

  test('does not report a volume as gone while its tag is in another group, where vgsplit may have moved it', async () => {
    const undo = await prepare();
    lvm.add({ name: 'other', tags: [mark], vg: 'zzzzzz-aaaa-bbbb-cccc-dddd-eeee-ffffff' });
    await expect(createLv.look({ undo, host })).rejects.toThrow(/in another volume group now/);
  });

  test('cannot decide while the group is exported, or absent', async () => {
    const { undo } = await made();
    lvm.vg.exported = true;
    await expect(createLv.look({ undo, host })).rejects.toThrow(/cannot read its volumes/);
    lvm.lvs = [];
    Object.assign(lvm.vg, { exported: false, present: false });
    await expect(createLv.look({ undo, host })).rejects.toThrow(/is missing, so bofh cannot read/);
  });

  test('names the holder', async () => {
    const { undo } = await made();
    Object.assign(lvm.lvs[0] ?? {}, { open: true });
    expect((await createLv.look({ undo, host })).holders).toEqual([
      { kind: 'unknown', words: 'open (fuser -v /dev/dm-0)' },
    ]);
  });
});

describe('revert of createLv', () => {
  test('removes no snapshots of others: it names them and stops', async () => {
    const { undo } = await made();
    lvm.add({ name: 'snap', origin: lvm.lvs[0]?.uuid ?? '' });
    await expect(createLv.revert({ undo, host })).rejects.toThrow(
      'would also remove its snapshots: vg0/snap',
    );
    expect(lvm.names()).toEqual(['snap', 'web1']);
  });

  test('removes no snapshot that was created between its check and its act', async () => {
    const { undo } = await made();
    const ours = lvm.lvs[0]?.uuid ?? '';
    lvm.before = (line) => {
      if (line.startsWith('lvremove')) lvm.add({ name: 'snap', origin: ours });
    };
    await createLv.revert({ undo, host });
    expect(lvm.names()).toEqual(['snap', 'web1']);
    expect(await createLv.look({ undo, host })).toMatchObject({ state: 'ours' });
  });

  test('names the holder of the volume when the kernel refuses', async () => {
    const { undo } = await made();
    Object.assign(lvm.lvs[0] ?? {}, { open: true });
    const failure = await createLv.revert({ undo, host }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CommandError);
    expect(failure).toMatchObject({ reason: 'busy' });
    expect(String(failure)).toContain('is in use: open (fuser');
    expect(lvm.names()).toEqual(['web1']);
  });

  test('syncs the metadata on every disk of the group', async () => {
    const { undo } = await made();
    await createLv.sync({ undo, host });
    expect(lvm.synced).toEqual(['/dev/vdb']);
  });
});
