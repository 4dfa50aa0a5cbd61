import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { pruneSnapshots, rotateSnapshots } from '../../../src/api/btrfs.ts';
import { withBofh } from '../../../src/bofh.ts';
import type { ReadCommand, ReadHost } from '../../../src/command/index.ts';
import { prunable, rotationOf, rotationRequest, snapshotName } from '../../../src/btrfs/rotation.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { changeSubvolume, pool } from '../../support/undo/specimens/btrfs.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
});

const [source, target] = ['/srv/pool/home', '/srv/pool/snapshots'];
const day = 86_400_000;
const now = Date.parse('2026-11-20T18:57:49Z');
const at = (daysAgo: number): Date => new Date(now - daysAgo * day);
const request = (keep: number) => ({ source, target, label: 'daily', keep });

/** A snapshot as a rotation has made it, some days ago. */
function old(daysAgo: number, change: Parameters<typeof changeSubvolume>[2] = {}): string {
  const path = `${target}/${snapshotName('daily', at(daysAgo))}`;
  host.admin.btrfs('subvolume', 'snapshot', '-r', source, path);
  changeSubvolume(host, path, {
    made: at(daysAgo).toISOString().replace('T', ' ').replace(/\..*/, ' +0000'),
    ...change,
  });
  return path;
}

const surplusOf = async (keep: number): Promise<readonly string[]> =>
  (await rotationOf(host, request(keep), at(0))).surplus.map(({ path }) => path);

describe('a rotation', () => {
  it('keeps the given number including the new one, and deletes the oldest first', async () => {
    const paths = [4, 3, 2, 1].map((days) => old(days));

    expect(await surplusOf(5)).toEqual([]);
    expect(await surplusOf(4)).toEqual(paths.slice(0, 1));
    expect(await surplusOf(1)).toEqual(paths);
  });

  it('names the new one by label and time', async () => {
    expect((await rotationOf(host, request(3), at(0))).path).toBe(`${target}/daily.20261120T185749Z`);
  });

  it('orders by creation, not by a clock that was wrong', async () => {
    const [first, second] = [old(-400), old(1)];
    expect(await surplusOf(2)).toEqual([first]);
    expect(await surplusOf(1)).toEqual([first, second]);
  });

  it.each<readonly [string, Parameters<typeof changeSubvolume>[2], string]>([
    [
      'of another source',
      { parentUuid: '0c0ffee0-0000-4000-8000-000000000001' },
      'not a snapshot of this source',
    ],
    ['writable', { mode: 'rw' }, 'writable'],
    ['received', { receivedUuid: '0c0ffee0-0000-4000-8000-000000000001' }, 'received'],
    ['created at another time than its name says', { made: '2020-01-01 00:00:00 +0000' }, 'another time'],
  ])('leaves alone a subvolume with a similar name that is %s', async (_, change, why) => {
    const path = old(9, change);
    const { surplus, stays } = await rotationOf(host, request(1), at(0));

    expect(surplus).toEqual([]);
    expect(stays.map((one) => one.path)).toEqual([path]);
    expect(stays[0]?.why).toContain(why);
  });

  it.each([
    'daily.20261101T000000Z.old',
    'xdaily.20261101T000000Z',
    'daily.20261101',
    'daily-2.20261101T000000Z',
    'weekly.20261101T000000Z',
  ])('ignores %s', async (name) => {
    host.admin.btrfs('subvolume', 'snapshot', '-r', source, `${target}/${name}`);
    expect(await rotationOf(host, request(1), at(0))).toMatchObject({ surplus: [], stays: [] });
  });

  it('refuses a source that is not a subvolume, or has no uuid', async () => {
    const plain = rotationOf(host, { ...request(1), source: target }, at(0));
    await expect(plain).rejects.toThrow(`${target} is not a subvolume`);
    // As the top level of a filesystem that btrfs-progs older than 4.16 created.
    const run = async (command: ReadCommand<unknown>): Promise<unknown> => {
      const answer = await host.run(command);
      const isShown = command.argv.slice(0, 2).join(' ') === 'subvolume show';
      return isShown && typeof answer === 'object' ? { ...answer, uuid: undefined } : answer;
    };
    const old = Object.create(host, { run: { value: run } }) as ReadHost;
    await expect(rotationOf(old, request(1), at(0))).rejects.toThrow(`${source} has no uuid`);
  });

  it('looks in its directory, and not below', async () => {
    host.admin.mkdir(`${target}/below`);
    const path = old(5);
    host.admin.rename(path, `${target}/below/${path.split('/').at(-1) ?? ''}`);
    expect(await surplusOf(1)).toEqual([]);
  });

  it('keeps the default subvolume of the filesystem, and says so', async () => {
    const path = old(5);
    const id = changeSubvolume(host, path, {});
    host.admin.btrfs('subvolume', 'set-default', String(id), '/srv/pool');
    const { surplus, stays } = await rotationOf(host, request(1), at(0));
    expect(surplus).toEqual([]);
    expect(stays.map((one) => one.path)).toEqual([path]);
    expect(stays[0]?.why).toContain('default');
  });

  it('creates the new one and deletes the old ones in one sequence', async () => {
    const paths = [3, 2].map((days) => old(days));
    const made = await withBofh(simulatedBofh({ host }), () =>
      rotateSnapshots({ source, target, label: 'daily', keep: 2 }),
    );

    expect(made.deleted.map(({ path }) => path)).toEqual(paths.slice(0, 1));
    expect(await host.readDir(target)).toEqual(
      [paths[1], made.made.path, `${target}/home.foreign`].map((path) => path?.split('/').at(-1)).sort(),
    );
  });

  it('deletes only the confirmed ones', async () => {
    const [oldest, old2] = [3, 2].map((days) => old(days));
    const before = host.snapshot();
    const rotated = (agreed: readonly string[]) =>
      withBofh(simulatedBofh({ host }), () =>
        rotateSnapshots({ source, target, label: 'daily', keep: 1, agreed }),
      );
    const [first = '', second = ''] = (await rotationOf(host, request(1), at(0))).surplus.map(
      ({ uuid }) => uuid,
    );

    await expect(rotated([second])).rejects.toThrow(`${oldest ?? ''} would be deleted too`);
    expect(host.snapshot()).toBe(before);
    expect((await rotated([first, second, 'gone since'])).deleted.map(({ path }) => path)).toEqual([
      oldest,
      old2,
    ]);
  });

  it('says to run again after another rotation in the same second', async () => {
    vi.useFakeTimers({ now, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const rotated = () =>
      withBofh(simulatedBofh({ host }), () => rotateSnapshots({ source, target, label: 'daily', keep: 1 }));
    const { made } = await rotated();
    const before = host.snapshot();

    await expect(rotated()).rejects.toMatchObject({
      code: 'exists',
      message: expect.stringContaining(`${made.path} exists`) as string,
      remedy: 'another rotation of this label ran in the same second: run the command again',
    });
    expect(host.snapshot()).toBe(before);
  });

  it('deletes nothing when the new one cannot be made', async () => {
    old(3);
    const before = await host.readDir(target);
    host.fault({ tool: 'btrfs', argvIncludes: 'snapshot', mode: 'fails before' });

    await expect(
      withBofh(simulatedBofh({ host }), () => rotateSnapshots({ source, target, label: 'daily', keep: 1 })),
    ).rejects.toThrow(/failed and was rolled back/);
    expect(await host.readDir(target)).toEqual(before);
  });
});

describe('prune', () => {
  const uuid = '0c0ffee0-0000-4000-8000-000000000001';
  const prune = (of: { readonly source?: string }, keep: number) =>
    prunable(host, { source: of.source, target, label: 'daily', keep });

  it('keeps the newest of what rotations of the source created', async () => {
    const paths = [4, 3, 2].map((days) => old(days));
    const foreign = old(9, { receivedUuid: uuid });

    const { surplus, stays } = await prune({ source }, 1);

    expect(surplus.map(({ path }) => path)).toEqual(paths.slice(0, 2));
    expect(stays).toEqual([{ path: foreign, why: 'it was received' }]);
  });

  it('keeps the newest received ones by name, whenever they were received', async () => {
    const received = { receivedUuid: uuid, made: '2026-11-20 00:00:00 +0000' };
    const [newest, oldest] = [old(2, received), old(4, received)];
    const local = old(9);

    const { surplus, stays } = await prune({}, 1);

    expect(surplus.map(({ path }) => path)).toEqual([oldest]);
    expect(stays).toEqual([{ path: local, why: 'it was not received' }]);
    expect(newest).toBeDefined();
  });

  it('removes them in one sequence, and only confirmed ones', async () => {
    const [first = ''] = [4, 3].map((days) => old(days));
    const asked = { source, target, label: 'daily', keep: 1 };
    const act = (agreed?: readonly string[]) =>
      withBofh(simulatedBofh({ host }), () => pruneSnapshots({ ...asked, agreed }));

    await expect(act([])).rejects.toThrow('did not confirm that');
    expect((await act()).deleted.map(({ path }) => path)).toEqual([first]);
    expect((await act()).deleted).toEqual([]);
  });
});

describe('the options of a rotation', () => {
  it.each([
    ['daily', 21],
    ['weekly', 12],
    ['monthly', 36],
    ['yearly', 10],
  ])('keeps of %s %i', (label, keep) => {
    expect(rotationRequest({ source, target, label }).keep).toBe(keep);
  });

  it.each([
    [{ label: 'hourly' }, /: pass keep$/],
    [{ label: 'a.b', keep: 1 }, /not a label/],
    [{ label: '', keep: 1 }, /not a label/],
    [{ label: 'daily', keep: 0 }, /must be a whole number of at least 1/],
    [{ label: 'daily', keep: 1.5 }, /must be a whole number of at least 1/],
  ])('is refused with %j', (asked, words) => {
    const refused = () => rotationRequest({ source, target, ...asked });
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(words);
  });
});
