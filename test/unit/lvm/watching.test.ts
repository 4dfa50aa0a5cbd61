import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { recover } from '../../../src/atomic/recovery/recover.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { CommandError, RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { vgs, watchingRoom } from '../../../src/lvm/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { type Fault, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { ownUuid, smallSystem } from '../../support/undo/stage.ts';
import { bofhOn, ranOf } from '../simulator/support.ts';

const thin = '/dev/vg0/thin';
const mib = 1024 ** 2;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 32 });
  host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 64 });
});

/** Another process fills it while the program that a fault holds is at work. */
async function whileItHangs(fault: Omit<Fault, 'mode'>, act: () => Promise<unknown>, meanwhile: () => void) {
  host.fault({ ...fault, mode: 'hangs' });
  return withoutWaiting(async () => {
    const at = { isOver: false };
    const done = rejectionOf(act()).finally(() => {
      at.isOver = true;
    });
    while (host.world.orphans.length === 0 && !at.isOver) await turn();
    for (let turns = 0; turns < 20; turns += 1) await turn();
    if (at.isOver) throw await done;
    meanwhile();
    return done;
  });
}

const fill = (data: number) => () => host.admin.fill('vg0', 'pool', { data, metadata: 1 });
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('full', body));

describe('a thin pool that others fill during a write', () => {
  test('ends the unpacking of an archive, which is undone', async () => {
    host.addTar('/srv/debian.tar', smallSystem);
    host.admin.format(thin, { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
    host.admin.mkdir('/mnt/web1');
    host.admin.mount(thin, '/mnt/web1');
    const asked = { source: '/srv/debian.tar', root: '/mnt/web1', device: thin, files: [] };
    const unpack = () => does((tx) => tx.copy.unpack({ ...asked, filesystem: ownUuid }));
    const before = host.snapshot();
    const error = await whileItHangs({ tool: 'tar', argvIncludes: '--extract' }, unpack, fill(96));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain(
      'the pool vg0/pool is full (data 96 %, metadata 1 %): the unpacking into /mnt/web1 was stopped',
    );
    fill(0)();
    expect(host.snapshot()).toBe(before);
  });

  test.each<[string, Omit<Fault, 'mode'>, (tx: Tx) => Promise<unknown>]>([
    [
      'receiving /srv/second/home.foreign was stopped',
      { tool: 'btrfs', argvIncludes: 'receive' },
      (tx) => tx.btrfs.copySubvolume({ source: '/srv/pool/snapshots/home.foreign', into: '/srv/second' }),
    ],
    [
      'the balance of /srv/second was stopped',
      { tool: 'btrfs', argvIncludes: 'balance' },
      (tx) => tx.btrfs.balance({ path: '/srv/second', dataUsage: 50 }),
    ],
    [
      `the removal of /dev/vg0/second was stopped`,
      { tool: 'btrfs', argvIncludes: 'remove' },
      (tx) => tx.btrfs.removeDevice({ path: '/srv/second', device: '/dev/vg0/second' }),
    ],
    [
      'sending to /dev/vg0/other was stopped',
      { tool: 'btrfs', argvIncludes: 'send' },
      (tx) => tx.btrfs.sendToDevice({ source: '/srv/pool/snapshots/home.foreign', device: '/dev/vg0/other' }),
    ],
  ])('%s', async (words, fault, body) => {
    pool(host);
    secondPool(host);
    host.admin.btrfs('device', 'add', thin, '/srv/second');
    host.admin.thinVolume({ vg: 'vg0', name: 'other', pool: 'pool', extents: 64 });
    const error = await whileItHangs(fault, () => does(body), fill(95));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain(words);
  });

  const text = 'x'.repeat(1000);
  test.each<[what: string, act: (tx: Tx) => Promise<unknown>, breaks: Omit<Fault, 'mode'>]>([
    [
      'a sent stream',
      (tx) => tx.btrfs.sendToDevice({ source: '/srv/pool/snapshots/home.foreign', device: thin }),
      { tool: 'dd', access: 'change' },
    ],
    [
      'a sent stream, at the first look',
      (tx) => tx.btrfs.sendToDevice({ source: '/srv/pool/snapshots/home.foreign', device: thin }),
      { tool: 'blkid', access: 'read' },
    ],
    [
      'a filesystem',
      (tx) => tx.filesystem.create({ device: thin, type: 'ext4' }),
      { tool: 'wipefs', access: 'change' },
    ],
    [
      'an encrypted device',
      (tx) => tx.crypt.format({ device: thin, key: { from: 'file', path: '/etc/key' } }),
      { tool: 'wipefs', access: 'change' },
    ],
    [
      'a snapshot',
      (tx) => tx.lvm.createSnapshot({ vg: 'vg0', origin: 'thin', name: 's' }),
      { tool: 'lvremove' },
    ],
  ])('is named with the command that extends it, when the undo of %s fails on it', async (_, act, breaks) => {
    pool(host);
    host.admin.writeFile('/etc/key', text, 0o600);
    const failed = does(async (tx) => {
      await act(tx);
      fill(96)();
      host.fault({ ...breaks, mode: 'fails before', times: 9 });
      throw new Error('boom');
    });
    const error = await rejectionOf(failed);
    expect(error).toBeInstanceOf(StuckError);
    const [left] = (error as StuckError).blocked;
    expect(left?.why).toMatch(/^the pool vg0\/pool is full \(data 96 %, metadata 1 %\), and then: /);
    expect(left?.remedy).toBe('give it more space: lvextend --size +SIZE vg0/pool; then: bofh recover');

    host.clearFaults();
    fill(40)();
    const { engine } = bofhOn(host);
    expect((await recover((error as StuckError).id ?? '', { engine, yes: true })).end).toBe('rolled-back');
  });
});

test.each<[what: string, act: (tx: Tx) => Promise<unknown>]>([
  ['created', (tx) => tx.file.create({ path: '/mnt/web1/new', content: 'x', mode: 0o644 })],
  ['changed', (tx) => tx.file.change({ path: '/mnt/web1/old', content: 'x' })],
  ['removed', (tx) => tx.file.remove({ path: '/mnt/web1/old' })],
  ['directory', (tx) => tx.file.createDirectory({ path: '/mnt/web1/new', mode: 0o755 })],
])('a full pool is named where the undo of a file fails in a filesystem on it: %s', async (_, act) => {
  host.admin.format(thin, { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
  host.admin.mkdir('/mnt/web1');
  host.admin.mount(thin, '/mnt/web1');
  host.admin.writeFile('/mnt/web1/old', 'y');
  const before = host.snapshot();
  const failed = does(async (tx) => {
    await act(tx);
    host.admin.fill('vg0', 'pool', { data: 96, metadata: 1 });
    host.fault({ tool: 'file', mode: 'no space', times: 9 });
    throw new Error('boom');
  });
  const error = await rejectionOf(failed);
  expect(error).toBeInstanceOf(StuckError);
  const [left] = (error as StuckError).blocked;
  expect(left?.why).toMatch(/^the pool vg0\/pool is full \(data 96 %, metadata 1 %\), and then: /);
  expect(left?.remedy).toBe('give it more space: lvextend --size +SIZE vg0/pool; then: bofh recover');

  host.clearFaults();
  fill(0)();
  const { engine } = bofhOn(host);
  expect((await recover((error as StuckError).id ?? '', { engine, yes: true })).end).toBe('rolled-back');
  expect(host.snapshot()).toBe(before);
});

describe('writing zeros to a thin volume', () => {
  const zero = () => does((tx) => tx.block.zero({ device: thin, overwrite: ['blank'] }));
  const large = (): void => {
    host = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 8192 * mib }] });
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 1024 });
    host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 640 });
  };
  const written = () => ranOf(host, 'blkdiscard');

  test('writes all of them, a GiB at a time', async () => {
    large();
    await zero();
    expect(written()).toHaveLength(5);
  });

  test('stops when others filled the pool; the rest is done once it has space', async () => {
    large();
    host.faults.watch(({ tool }) => {
      if (tool === 'blkdiscard') fill(97)();
    });
    const error = await rejectionOf(zero());
    expect(String(error)).toContain(`the pool vg0/pool is full (data 97 %, metadata 1 %)`);
    expect(String(error)).toContain(`the rest of the zeros on ${thin} is not started`);
    expect(written()).toHaveLength(1);
  });
});

describe('the watch on a pool', () => {
  /** Writes until it is stopped. */
  const writing = (signal: AbortSignal | undefined): Promise<never> =>
    new Promise((_, reject) => {
      signal?.addEventListener('abort', () => {
        reject(new CommandError({ tool: 'dd', argv: [], reason: 'killed', what: 'stopped' }));
      });
    });
  const asked = { devices: [thin], what: 'it' };
  let looks = 0;
  const looking = (answer: (nth: number) => 'fails' | 'host', threshold = 100): ReadHost => ({
    ...host,
    run: async (command) => {
      if (command.argv[0] === 'config')
        return command.parse({
          ...{ exitCode: 0, stderr: '' },
          stdout: `thin_pool_autoextend_threshold=${threshold}\n`,
        });
      looks += 1;
      if (answer(looks) === 'fails') throw new Error('it is busy');
      return host.run(command);
    },
  });
  beforeEach(() => {
    looks = 0;
  });

  test('does not run for a device without a pool, and lvm is not called', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'plain', extents: 16 });
    const at = looking(() => 'fails');
    const devices = ['/dev/vg0/plain'];
    expect(await watchingRoom(at, { ...asked, devices }, async (signal) => signal === undefined)).toBe(true);
    expect(looks).toBe(0);
  });

  test('keeps the error of a program that ended by itself', async () => {
    expect(await watchingRoom(host, asked, async () => 'done')).toBe('done');
    const boom = new Error('boom');
    const failed = watchingRoom(host, asked, async () => {
      throw boom;
    });
    expect(await rejectionOf(failed)).toBe(boom);
  });

  test('waits while lvm may extend the pool', async () => {
    fill(96)();
    const at = looking(() => 'host', 70);
    const error = await withoutWaiting(() => rejectionOf(watchingRoom(at, asked, writing)));
    expect(error).toBeInstanceOf(RefusedError);
    expect(looks).toBe(15);
  });

  test('does not wait where the group of the pool has no space', async () => {
    const [free] = (await vgs(host)).map((vg) => vg.free / vg.extentSize);
    host.admin.lvcreate({ vg: 'vg0', name: 'rest', extents: Number(free) });
    fill(96)();
    const at = looking(() => 'host', 70);
    await withoutWaiting(() => rejectionOf(watchingRoom(at, asked, writing)));
    expect(looks).toBe(1);
  });

  test('accepts two unknown answers, but not three in a row', async () => {
    const at = looking((nth) => (nth === 3 ? 'host' : 'fails'));
    const error = await withoutWaiting(() => rejectionOf(watchingRoom(at, asked, writing)));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('is now unknown (it is busy): it was stopped');
    expect(looks).toBe(6);
  });
});
