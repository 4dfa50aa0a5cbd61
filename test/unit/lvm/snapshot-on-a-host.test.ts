import { beforeEach, describe, expect, test } from 'vitest';
import { undo } from '../../../src/api/undo.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf, recoverAll } from '../simulator/support.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { failNow } from '../../support/rejection.ts';
import { expectUndone } from '../simulator/recovery.ts';

const mib = 1024 ** 2;
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 });
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
  host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 32 });
});

type Asked = Partial<Parameters<Tx['lvm']['createSnapshot']>[0]>;
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('snapshots', body));
const snapshot = (tx: Tx, asked: Asked = {}) =>
  tx.lvm.createSnapshot({ vg: 'vg0', origin: 'a', name: 'monday', size: '8m', ...asked });
const ofThin = { vg: 'vg0', origin: 'thin', name: 'monday' };
const thin = (tx: Tx) => tx.lvm.createSnapshot(ofThin);
const volume = (name: string) => host.world.lvm[0]?.lvs.find((lv) => lv.name === name);
const names = () => (host.world.lvm[0]?.lvs ?? []).map(({ name }) => name).sort();
const there = ['a', 'pool', 'thin'];
const ran = (tool: string): readonly string[] => ranOf(host, tool);

describe('createSnapshot', () => {
  test('creates a classic one, active like its origin, with its tag', async () => {
    const made = await does((tx) => snapshot(tx, { tags: ['site'] }));

    expect(made).toEqual({
      ...{ vg: 'vg0', name: 'monday', path: '/dev/vg0/monday', size: 8 * mib, active: true },
      uuid: volume('monday')?.uuid,
    });
    expect(volume('monday')).toMatchObject({
      origin: volume('a')?.uuid,
      tags: [expect.stringMatching(/^bofh\./), 'site'],
    });
    expect(ran('lvcreate')).toEqual([
      expect.stringMatching(/^--snapshot --name monday --extents 2 --addtag bofh\.\S+ --addtag site vg0\/a$/),
    ]);
  });

  test('creates a thin one of a thin volume, inactive', async () => {
    expect(await does(thin)).toMatchObject({ active: false, size: 128 * mib });
    expect(volume('monday')).toMatchObject({ pool: volume('pool')?.uuid, skipped: true });
    expect(host.world.active.has(volume('monday')?.uuid ?? '')).toBe(false);
    expect(ran('lvcreate')[0]).toMatch(
      /^--snapshot --name monday --setactivationskip y --addtag \S+ vg0\/thin$/,
    );
  });

  test.each([
    ['20%ORIGIN', 2],
    ['100%ORIGIN', 9],
    ['3', 3],
    ['1000', 9],
  ])('gives it %s of 8 extents: %i', async (extents, count) => {
    await does((tx) => tx.lvm.createSnapshot({ vg: 'vg0', origin: 'a', name: 'monday', extents }));
    expect(volume('monday')?.extents).toBe(count);
  });

  test.each([
    ['classic', snapshot],
    ['thin', thin],
  ])('of a %s one is undone with the sequence, and its origin stays', async (_, make) => {
    await expectUndone(host, () => does(async (tx) => [await make(tx), await failNow()]));
  });

  test('is undone under another name, and a foreign one of its name is left untouched', async () => {
    await failureOf(
      does(async (tx) => {
        await snapshot(tx);
        host.admin.lvrename('vg0', 'monday', 'theirs');
        host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 1 });
        await failNow();
      }),
    );
    expect(names()).toEqual([...there, 'monday'].sort());
    expect(volume('monday')?.tags).toEqual([]);
  });

  test('is stuck when the snapshot is in use, and names the holder', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await snapshot(tx);
        host.admin.format('/dev/vg0/monday', { type: 'ext4', usage: 'filesystem', uuid: 'u' });
        host.admin.mount('/dev/vg0/monday', '/mnt');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).message).toContain('/mnt');
    expect(names()).toContain('monday');
  });

  test.each([
    ['no size for a plain volume', { size: undefined }, UsageError, /is not a thin volume/],
    ['size and extents', { extents: 5 }, UsageError, /size: leave it out, or extents/],
    ['more than the origin', { size: undefined, extents: '101%ORIGIN' }, UsageError, /at most 100%ORIGIN/],
    ['a bad name', { name: 'x_tdata' }, UsageError, /reserved/],
    ['a name that is taken', { name: 'thin' }, RefusedError, /exists already/],
    ['an origin that is not there', { origin: 'nope' }, RefusedError, /no logical volume vg0\/nope/],
    ['a pool as origin', { origin: 'pool' }, RefusedError, /or a pool/],
    [
      'another origin than meant',
      { originUuid: '000000-aaaa-bbbb-cccc-dddd-eeee-ffffff' },
      RefusedError,
      /another volume/,
    ],
    ['no room', { size: '1t' }, RefusedError, /vg0 has .* free/],
  ] as const)('refuses %s, and changes nothing', async (_, asked, kind, message) => {
    const all = { vg: 'vg0', origin: 'a', name: 'monday', size: '8m' as string | undefined, ...asked };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const error = await failureOf(
      does((tx) => tx.lvm.createSnapshot(given as typeof all & { size: string })),
    );
    expect(error).toBeInstanceOf(kind);
    expect(String(error)).toMatch(message);
    expect(ran('lvcreate')).toEqual([]);
  });

  describe('of a thin volume, interrupted in its activation in the same sequence', () => {
    const activated = async (tx: Tx): Promise<void> => {
      await thin(tx);
      await tx.lvm.activateLv({ vg: 'vg0', name: 'monday' });
    };
    beforeEach(async () => {
      host.fault({ tool: 'lvchange', mode: 'acts then crash' });
      await failureOf(does(activated));
      expect(names()).toEqual([...there, 'monday'].sort());
      host = host.restart();
    });

    test('is undone, because it was never written', async () => {
      await recoverAll(host);

      expect(names()).toEqual(there);
    });

    test('stays with data that others wrote since', async () => {
      host.admin.writeBytes('/dev/vg0/monday', 4096, new TextEncoder().encode('of others'));

      await expect(recoverAll(host)).rejects.toThrow(StuckError);

      expect(names()).toEqual([...there, 'monday'].sort());
    });
  });

  test.each([
    ['a classic one', (tx: Tx) => snapshot(tx)],
    ['a thin one', (tx: Tx) => tx.lvm.createSnapshot({ ...ofThin, active: true })],
  ])('%s that others wrote to and deactivated stays, and stays inactive', async (_, make) => {
    await does(make);
    const [id = ''] = closedJournals(bofhOn(host).engine).map((each) => each.id);
    const undoes = () => withBofh({ ...bofhOn(host), signals: {} }, () => undo(id));
    host.admin.writeBytes('/dev/vg0/monday', 4096, new TextEncoder().encode('of others'));
    host.world.active.clear();

    expect(String(await failureOf(undoes()))).toContain('others wrote to vg0/monday');

    expect(names()).toEqual([...there, 'monday'].sort());
    expect(['a', 'monday', 'thin'].map((name) => host.world.active.has(volume(name)?.uuid ?? ''))).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('refuses a snapshot of a classic snapshot', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'sunday', origin: 'a', extents: 1 });
    expect(String(await failureOf(does((tx) => snapshot(tx, { origin: 'sunday' }))))).toMatch(
      /cannot create a snapshot of it/,
    );
  });

  test.each([
    ['data', { data: 95, metadata: 1 }],
    ['metadata', { data: 1, metadata: 99.5 }],
  ])('refuses a thin one in a pool whose %s is full', async (what, of) => {
    host.admin.fill('vg0', 'pool', of);
    const error = await failureOf(does(thin));
    expect(error).toMatchObject({
      message: expect.stringContaining(what) as string,
      remedy: expect.stringContaining('bofh lvm pool resize vg0/pool') as string,
    });
    expect(ran('lvcreate')).toEqual([]);
  });

  test('refuses a thin one in a pool of unknown usage', async () => {
    host.world.active.clear();
    expect(await failureOf(does(thin))).toMatchObject({
      message: expect.stringContaining('is unknown') as string,
      remedy: expect.stringContaining('bofh lvm activate vg0/pool') as string,
    });
  });

  test('notices a program that exits 0 and does nothing', async () => {
    host.fault({ tool: 'lvcreate', mode: 'no effect, exit 0' });
    expect(String(await failureOf(does((tx) => snapshot(tx))))).toMatch(/created no vg0\/monday/);
  });
});

describe('removeLv of a snapshot', () => {
  const remove = (tx: Tx, name = 'monday') => tx.lvm.removeLv({ vg: 'vg0', name });
  beforeEach(() => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 2 });
  });

  test('renames it, and removes it after the commit; its origin stays active', async () => {
    await does(async (tx) => {
      await remove(tx);
      expect(names()).toContainEqual(expect.stringMatching(/^bofh_gone_/));
      expect(ran('lvchange')).toEqual([]);
    });
    expect(names()).toEqual(there);
    expect(host.world.active.has(volume('a')?.uuid ?? '')).toBe(true);
    expect(ran('lvremove')).toEqual([
      expect.stringMatching(/^--yes --select lv_uuid=\S+ && lv_role=\{thicksnapshot\} vg0\/bofh_gone_/),
    ]);
  });

  test('is undone with the sequence', async () => {
    const before = host.snapshot();
    expect(
      await failureOf(
        does(async (tx) => {
          await remove(tx);
          await failNow();
        }),
      ),
    ).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('is refused while mounted; removing its origin is refused too, and names both', async () => {
    host.admin.format('/dev/vg0/monday', { type: 'ext4', usage: 'filesystem', uuid: 'u' });
    host.admin.mount('/dev/vg0/monday', '/mnt');
    expect(String(await failureOf(does((tx) => remove(tx))))).toMatch(/in use: mounted on \/mnt/);
    const origin = await failureOf(does((tx) => remove(tx, 'a')));
    expect(origin).toMatchObject({
      message: expect.stringContaining('has snapshots, which would be removed too: vg0/monday') as string,
      remedy: expect.stringContaining('bofh lvm remove vg0/monday') as string,
    });
    expect(names()).toEqual([...there, 'monday'].sort());
  });
});

describe('bofh lvm snapshot create', () => {
  test('reports the result', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await runVerb(runtime, 'lvm snapshot create vg0/a monday --size 8m --tag x')).toBe(0);
    expect(answers.lvmSnapshotCreate.parse(JSON.parse(stdout()))).toEqual({
      ...{ volume: 'vg0/monday', path: '/dev/vg0/monday', origin: 'vg0/a', size: 8 * mib, active: true },
      uuid: volume('monday')?.uuid,
    });
  });

  test('reports that a thin one is inactive', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }));
    await runVerb(runtime, 'lvm snapshot create vg0/thin monday');
    expect(stdout()).toBe('vg0/monday exists, a snapshot of vg0/thin (128 MiB, not active)\n');
  });
});
