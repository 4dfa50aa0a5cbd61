import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { ontoDevice, receive } from '../../../src/btrfs/send-commands.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { largeVolume, pool, secondPool } from '../../support/undo/specimens/btrfs.ts';
import { deviceOf } from '../../../src/simulator/administrator/act.ts';
import { hasBytes } from '../../support/undo/others/kept.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { unnamed } from '../simulator/sweep.ts';

const source = '/srv/pool/snapshots/home.foreign';
const device = '/dev/vg0/stream';

function withDevice(): SimulatedHost {
  const made = simulatedHost();
  pool(made);
  secondPool(made);
  largeVolume(made, 'stream');
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = withDevice();
});

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('sends', body));
const send = (tx: Tx, more: object = {}) => tx.btrfs.sendToDevice({ source, device, ...more });
const holds = (on = host): string =>
  /^now vg0\/stream holds (?<what>.*)$/m.exec(on.snapshot())?.groups?.what ?? on.snapshot();

test('the arguments of its programs', () => {
  expect(ontoDevice('/dev/x', 12288)).toMatchObject({
    tool: 'dd',
    argv: [
      ...['of=/dev/x', 'bs=1M', 'iflag=fullblock,count_bytes', 'count=12288'],
      ...['conv=nocreat,notrunc,fsync', 'status=none'],
    ],
  });
  expect(receive({ directory: '/srv', file: '/dev/x', from: 'device' }).argv).toEqual([
    ...['receive', '-e', '-f', '/dev/x', '/srv'],
  ]);
});

describe('a stream on a device', () => {
  test('has its first bytes without our tag afterwards, and can be received', async () => {
    const before = holds();
    await does(async (tx) => {
      const { uuid } = await send(tx);
      const made = await tx.btrfs.receiveSubvolume({ file: device, into: '/srv/second', name: 'again' });
      expect(made.receivedUuid).toBe(uuid);
    });
    expect(before).toBe('blank');
    expect(holds()).toMatch(/^a stream of home\.foreign [0-9a-f-]{36}$/);
    expect(await host.readDir('/srv/second/again')).toEqual(await host.readDir(source));
    expect(await openJournals(bofhOn(host).engine)).toEqual([]);
  });

  test('is undone or completed by recovery after a kill at any point', async () => {
    const before = unnamed(host.snapshot());
    const begun = host.changes.length;
    await does((tx) => send(tx));
    const after = unnamed(host.snapshot());
    const all = host.changes.length - begun;
    expect(all).toBeGreaterThan(3);
    for (const mode of ['acts then crash', 'crash here'] as const)
      for (let nth = 1; nth <= all; nth += 1) {
        const victim = withDevice();
        victim.fault({ nth, mode });
        await failureOf(does((tx) => send(tx), victim));
        victim.clearFaults();
        const next = victim.restart();

        await recoverAll(next);

        expect([before, after]).toContain(unnamed(next.snapshot()));
        expect(await openJournals(bofhOn(next).engine)).toEqual([]);
      }
  });

  test('leaves alone data that others wrote over its tag, after a kill at any point', async () => {
    const bytes = Buffer.from('tables of a database');
    let undone = 0;
    for (let nth = 1; nth <= 8; nth += 1) {
      const victim = withDevice();
      victim.fault({ nth, mode: 'acts then crash' });
      await failureOf(does((tx) => send(tx), victim));
      victim.clearFaults();
      const later = victim.restart();
      const { size, storage } = deviceOf(later.world, device);
      later.admin.writeBytes(device, size - 8192, bytes);

      const ended = await failureOf(recoverAll(later));

      if (ended === undefined) undone += 1;
      expect(hasBytes(later, { storage, offset: size - 8192, bytes })).toBe(true);
    }
    expect(undone).toBeGreaterThan(2);
  });

  test('is kept when others wrote to its start after a kill', async () => {
    const counted = withDevice();
    const begun = counted.changes.length;
    await does((tx) => send(tx), counted);
    const victim = withDevice();
    victim.fault({ nth: counted.changes.length - begun - 1, mode: 'crash here' });
    await failureOf(
      does(async (tx) => {
        await send(tx);
        await tx.file.create({ path: '/etc/new', content: 'a' });
      }, victim),
    );
    victim.clearFaults();
    const later = victim.restart();
    const bytes = Buffer.from('the first header of a tar archive');
    const { storage } = deviceOf(later.world, device);
    later.admin.writeBytes(device, 0, bytes);

    const error = await failureOf(recoverAll(later));

    expect(String(error)).toContain(`others wrote to the start of ${device}`);
    expect(hasBytes(later, { storage, offset: 0, bytes })).toBe(true);
  });

  test('is left untouched when others put a filesystem over it meanwhile', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await send(tx);
        host.admin.format(device, {
          type: 'ext4',
          usage: 'filesystem',
          uuid: '0c0ffee0-0000-4000-8000-00000000000a',
        });
        throw new Error('later');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(holds()).toMatch(/^ext4 0c0ffee0/);
  });
});

describe('is refused, and nothing is written', () => {
  test.each<readonly [string, () => void, object, RegExp]>([
    [
      'on a filesystem that is not named',
      () =>
        host.admin.format(device, {
          type: 'ext4',
          usage: 'filesystem',
          uuid: '0c0ffee0-0000-4000-8000-00000000000a',
        }),
      {},
      /holds ext4/,
    ],
    ['on a device in use', () => undefined, { device: '/dev/vg0/pool' }, /in use/],
    [
      'over a stream that is not named',
      () => host.admin.btrfs('send', '-f', device, source),
      {},
      /holds the stream of/,
    ],
    [
      'over another stream than is named',
      () => host.admin.btrfs('send', '-f', device, source),
      { overwrite: { uuid: '0c0ffee0-0000-4000-8000-00000000000a' } },
      /holds the stream of/,
    ],
    [
      'over a stream of which the sort is named, though it has a uuid',
      () => host.admin.btrfs('send', '-f', device, source),
      { overwrite: { type: 'btrfs-stream' } },
      /holds the stream of/,
    ],
    ['when what is named is not there', () => undefined, { overwrite: { type: 'xfs' } }, /is blank/],
    ['of what is writable', () => undefined, { source: '/srv/pool/home' }, /is writable/],
  ])('%s', async (_what, stage, more, words) => {
    stage();
    const before = host.snapshot();
    const error = await failureOf(does((tx) => send(tx, more)));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(words);
    expect(host.snapshot()).toBe(before);
  });

  test('from a device without a stream', async () => {
    const error = await failureOf(
      does((tx) => tx.btrfs.receiveSubvolume({ file: device, into: '/srv/second' })),
    );
    expect(String(error)).toMatch(/is not a stream of btrfs send/);
  });
});
