import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { unnamed } from '../../../src/simulator/matrix/judge.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectRefused, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const start = (): SimulatedHost => {
  const made = simulatedHost({ disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }] });
  made.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 4 });
  made.admin.format('/dev/vg0/a', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  return made;
};
const uuid = '0c0ffee0-0000-4000-8000-00000000000f';

let host: SimulatedHost;
beforeEach(() => {
  host = start();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('group names', body));
const rename = (tx: Tx, vg: string, to: string) => tx.lvm.renameVg({ vg, to });
const groups = (on = host): readonly string[] => on.world.lvm.map(({ name }) => name);

const refused = async (work: Promise<unknown>): Promise<string> => String(await expectRefused(host, work));

test('a group is renamed; its volumes stay active, with new paths', async () => {
  const { uuid: id } = host.world.lvm[0] ?? {};

  expect(await does((tx) => rename(tx, 'vg0', 'vg9'))).toEqual({ name: 'vg9', uuid: id });

  expect(groups()).toEqual(['vg9']);
  expect(await host.stat('/dev/vg9/a')).toBeDefined();
  expect(await host.stat('/dev/vg0/a')).toBeUndefined();
});

describe('is refused, and nothing changes', () => {
  test.each([
    ['mounted', () => void host.admin.mount('/dev/vg0/a', '/mnt'), /vg0\/a is in use: mounted on \/mnt/],
    ['in use as swap', () => host.admin.swapon('/dev/vg0/a'), /vg0\/a is in use: .*swap/],
  ])('while one of its volumes is %s', async (_, use, words) => {
    use();
    expect(await refused(does((tx) => rename(tx, 'vg0', 'vg9')))).toMatch(words);
  });

  test('for a name of another group, or of a file below /dev', async () => {
    host.admin.format('/dev/vdz', {
      ...{ type: 'LVM2_member', usage: 'raid', version: 'LVM2 001' },
      uuid: 'free00-0000-0000-0000-0000-0000-000001',
    } as const);
    host.admin.vgcreate('vg1', ['/dev/vdz']);

    expect(await refused(does((tx) => rename(tx, 'vg0', 'vg1')))).toContain(
      'there is a volume group "vg1" already',
    );
    expect(await refused(does((tx) => rename(tx, 'vg0', 'null')))).toContain('/dev/null exists');
    expect(await refused(does((tx) => rename(tx, 'nope', 'vg9')))).toContain('no volume group "nope"');
    const other = 'aaaaaa-0000-0000-0000-0000-0000-000000';
    expect(await refused(does((tx) => tx.lvm.renameVg({ vg: 'vg0', uuid: other, to: 'vg9' })))).toContain(
      'another volume group is now named',
    );
  });

  test.each(['vg0', 'a/b', '', '-x', 'v'.repeat(128), 'v'.repeat(126)])('for the name "%s"', async (to) => {
    await expect(does((tx) => rename(tx, 'vg0', to))).rejects.toBeInstanceOf(UsageError);
  });
});

describe('undone', () => {
  test('it has its old name again', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await rename(tx, 'vg0', 'vg9');
        await failNow();
      }),
    );
  });

  test('is stuck while a volume is in use, the holder named, and finishes once it is free', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await rename(tx, 'vg0', 'vg9');
        host.admin.mount('/dev/vg9/a', '/mnt');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('mounted on /mnt');
    expect(groups()).toEqual(['vg9']);

    host.admin.umount('/mnt');
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('leaves a third name of others alone', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await rename(tx, 'vg0', 'vg9');
        host.admin.vgrename('vg9', 'theirs');
        await failNow();
      }),
    );

    expect((error as RolledBackError).leftUntouched.join()).toContain('renamed to theirs');
    expect(groups()).toEqual(['theirs']);
  });

  test('asks first in recovery when a volume is used by its new path', async () => {
    host.fault({ tool: 'vgrename', mode: 'acts then crash' });
    await failureOf(does((tx) => rename(tx, 'vg0', 'vg9')));
    host.clearFaults();
    const next = host.restart();
    next.admin.mount('/dev/vg9/a', '/mnt');
    const { engine } = bofhOn(next);
    const [open] = await openJournals(engine);

    const error = await failureOf(recover(open?.id ?? '', { engine, yes: false }));

    expect(String(error)).toContain('vg9/a: mounted on /mnt');
    expect(groups(next)).toEqual(['vg9']);
  });
});

/** What a sequence may do around it. */
const bodies: readonly (readonly [string, (tx: Tx) => Promise<unknown>])[] = [
  [
    'a volume made and formatted, the group renamed, and a second one made under its new name',
    async (tx) => {
      const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'b', size: '16m' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
      await rename(tx, 'vg0', 'vg9');
      await tx.lvm.createLv({ vg: 'vg9', name: 'c', size: '16m' });
    },
  ],
  [
    'a group made, renamed, and another one made under its old name',
    async (tx) => {
      const { device } = await tx.lvm.createPv({ device: '/dev/vdz' });
      await tx.lvm.createVg({ name: 'vg1', devices: [device] });
      await rename(tx, 'vg1', 'vg2');
      await rename(tx, 'vg0', 'vg1');
    },
  ],
];

describe.each(bodies)('%s', (_title, body) => {
  test('is all undone when the sequence fails afterwards', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await body(tx);
        await failNow();
      }),
    );
  });

  test('is all undone, or all done, by recovery from a kill at any point', async () => {
    const plain = (on: SimulatedHost): string => unnamed(on.snapshot(), new Set());
    await expectRecovery({ start, work: (on) => does(body, on), plain });
  });
});
