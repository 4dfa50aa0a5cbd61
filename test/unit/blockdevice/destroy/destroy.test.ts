import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { blkdiscard } from '../../../../src/blockdevice/destroy/commands.ts';
import { probe } from '../../../../src/blockdevice/index.ts';
import * as answers from '../../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError } from '../../../../src/core/errors.ts';
import type { Tx } from '../../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { rejectionOf } from '../../../support/rejection.ts';
import { typed } from '../../plan/support.ts';
import { bofhOn, ranOf } from '../../simulator/support.ts';

const device = '/dev/vdz';
const uuid = '5e1f0000-0000-4000-8000-000000000001';
const mebibyte = 1024 ** 2;
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * mebibyte }] });
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid });
});

const does = <T>(body: (tx: Tx) => Promise<T>): Promise<T> =>
  withBofh(bofhOn(host), () => atomic('destroys', body));
const acts = (): readonly string[] => ranOf(host, 'blkdiscard');

test('never forces, and reports progress', () => {
  const part = { offset: mebibyte, length: 63 * mebibyte, size: 64 * mebibyte };
  const { argv, progress } = blkdiscard(device, 'zero', part);
  expect(argv).toEqual([
    ...[
      '--zeroout',
      '--offset',
      '1048576',
      '--length',
      '66060288',
      '--step',
      '67108864',
      '--verbose',
      device,
    ],
  ]);
  expect(progress?.('')).toBeUndefined();
  expect(progress?.(`${device}: Zero-filled ${31 * mebibyte} bytes from the offset ${mebibyte}\n`)).toBe(0.5);
  expect(blkdiscard(device, 'discard', part).argv).not.toContain('--zeroout');
});

describe.each(['discard', 'zero'] as const)('block.%s', (how) => {
  test('runs after the commit, the head last', async () => {
    await does(async (tx) => {
      await tx.block[how]({ device, overwrite: [uuid] });
      expect(acts()).toEqual([]);
    });
    // The block of the signature is a part of its own: an interrupted act is continued.
    const offsets = how === 'zero' ? [mebibyte, 4096, 0] : [mebibyte, 0];
    expect(acts().map((line) => /--offset (\d+)/.exec(line)?.[1])).toEqual(offsets.map(String));
    expect(await probe(host, device)).toBeUndefined();
  });

  test('has the rest on disk before it erases the signature', async () => {
    await does((tx) => tx.block[how]({ device, overwrite: [uuid] }));
    const order = host.changes.flatMap((change) => {
      if (change.what === 'file') return change.verb === 'sync' && change.path === device ? ['sync'] : [];
      return change.what === 'command' && change.command.tool === 'blkdiscard' ? ['erase'] : [];
    });
    expect(order.slice(0, order.lastIndexOf('erase') + 1)).toEqual(
      how === 'zero' ? ['erase', 'erase', 'sync', 'erase'] : ['erase', 'sync', 'erase'],
    );
  });

  test('does not run when a later step fails', async () => {
    const before = host.snapshot();
    const error = await rejectionOf(
      does(async (tx) => {
        await tx.block[how]({ device, overwrite: [uuid] });
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect([acts(), host.snapshot()]).toEqual([[], before]);
  });

  test('is refused for unnamed content, a blank device, and one in use', async () => {
    const refused = async (overwrite: readonly string[]): Promise<string> => {
      const error = await rejectionOf(does((tx) => tx.block[how]({ device, overwrite: [...overwrite] })));
      expect(error).toBeInstanceOf(RefusedError);
      return String(error);
    };
    expect(await refused([])).toMatch(/was not named/);
    expect(await refused(['xfs'])).toMatch(/was not named/);
    host.admin.mkdir('/mnt/a');
    host.admin.mount(device, '/mnt/a');
    expect(await refused([uuid])).toMatch(/is in use/);
    host.admin.umount('/mnt/a');
    host.admin.format(device, undefined);
    expect(await refused([uuid])).toMatch(/has no known signature, but may still contain data/);
    expect(await refused(['blank', uuid])).toMatch(/has no known signature, but may still contain data/);
    expect(acts()).toEqual([]);
  });

  test('does not run on newer foreign content', async () => {
    const other = '0c0ffee0-0000-4000-8000-000000000002';
    await does(async (tx) => {
      await tx.block[how]({ device, overwrite: [uuid] });
      host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: other });
    });
    expect(acts()).toEqual([]);
    expect(await probe(host, device)).toMatchObject({ uuid: other });
  });

  test('is not reported as done when other content replaced the first signature', async () => {
    host.admin.format(device, { type: 'xfs', usage: 'filesystem', uuid });
    const notices: string[] = [];
    const own = bofhOn(host);
    const bofh = {
      ...own,
      engine: { ...own.engine, onLeftUntouched: (found: string) => void notices.push(found) },
    };
    await withBofh(bofh, () =>
      atomic('destroys', async (tx) => {
        await tx.block[how]({ device, overwrite: [uuid] });
        host.admin.format(device, { type: 'crypto_LUKS', usage: 'crypto', uuid: 'another', version: '2' });
      }),
    );
    expect(acts()).toEqual([]);
    expect(notices).toEqual([expect.stringContaining(`${device} has other content now`)]);
  });

  test('asks first at the command line, and reports the lost content', async () => {
    const line = ['block', how, device, '--overwrite', uuid];
    expect(await rejectionOf(typed(host, line))).toBeInstanceOf(RefusedError);
    const { stdout } = await typed(host, ['--json', '--yes', ...line]);
    expect(answers.blockDestroy.parse(JSON.parse(stdout))).toEqual({ device, lost: [uuid] });
  });
});
