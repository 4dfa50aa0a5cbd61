import { beforeEach, describe, expect, test } from 'vitest';
import { fallocate, truncate } from '../../../../src/blockdevice/image/new-image.ts';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../../src/core/errors.ts';
import type { Tx } from '../../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { withoutWaiting } from '../../../../src/simulator/matrix/clock.ts';
import { failureOf } from '../../concurrency/support.ts';
import { bofhOn, recoverAll } from '../../simulator/support.ts';
import { failNow } from '../../../support/rejection.ts';

const file = '/srv/web1.img';
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

const does = <T>(body: (tx: Tx) => Promise<T>): Promise<T> =>
  withoutWaiting(() => withBofh(bofhOn(host), () => atomic('images', body)));
const names = async (): Promise<readonly string[]> => host.readDir('/srv');

test('the commands change the size of one file', () => {
  expect(truncate(file, 4096)).toMatchObject({
    argv: ['--no-create', '--size=4096', file],
    access: 'change',
  });
  expect(fallocate(file, 4096)).toMatchObject({ argv: ['--length', '4096', file], access: 'change' });
});

describe('createImage', () => {
  test('creates a file of that size, readable only by its owner, with one name', async () => {
    expect(await does((tx) => tx.block.createImage({ file, size: '20g' }))).toEqual({
      ...{ file, size: 20 * 1024 ** 3 },
    });

    expect(await host.stat(file)).toMatchObject({
      kind: 'file',
      size: 20 * 1024 ** 3,
      mode: 0o600,
      links: 1,
    });
    expect(await names()).toEqual(['web1.img']);
  });

  test('allocates its blocks at once when asked', async () => {
    await does((tx) => tx.block.createImage({ file, size: '1m', room: 'allocated', mode: 0o640 }));

    const tools = host.changes.flatMap((each) => (each.what === 'command' ? [each.command.tool] : []));
    expect(tools).toEqual(['fallocate']);
    expect((await host.stat(file))?.mode).toBe(0o640);
  });

  test('never replaces another file, also not one that appears meanwhile', async () => {
    host.admin.writeFile(file, 'theirs');
    await expect(does((tx) => tx.block.createImage({ file, size: '1m' }))).rejects.toThrow(/exists already/);
    host.admin.removeFile(file);
    host.faults.decide(({ tool }) => {
      if (tool === 'truncate') host.admin.writeFile(file, 'theirs too');
      return undefined;
    });

    const error = await failureOf(does((tx) => tx.block.createImage({ file, size: '1m' })));

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.admin.readFile(file)).toBe('theirs too');
    expect(await names()).toEqual(['web1.img']);
  });

  test('is refused where the directory is missing', async () => {
    await expect(does((tx) => tx.block.createImage({ file: '/none/a', size: 1 }))).rejects.toThrow(
      RefusedError,
    );
  });

  test('notices a program that does nothing and reports success', async () => {
    host.fault({ tool: 'truncate', mode: 'no effect, exit 0' });

    await expect(does((tx) => tx.block.createImage({ file, size: '1m' }))).rejects.toThrow(
      /has 0 bytes instead of/,
    );
    expect(await names()).toEqual([]);
  });

  test('image, loop device, filesystem and mount are undone together', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.createImage({ file, size: '64m' });
        const { device } = await tx.block.attachLoop({ file });
        await tx.filesystem.create({ device, type: 'ext4' });
        await tx.mount.mount({ device, mode: 'rw' });
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(await names()).toEqual([]);
    expect(host.world.loops.size).toBe(0);
    expect(host.world.mounts.filter(({ source }) => source.includes('loop'))).toEqual([]);
  });

  test('its undo leaves another file of that name alone', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.createImage({ file, size: '1m' });
        host.admin.removeFile(file);
        host.admin.writeFile(file, 'theirs');
        return failNow();
      }),
    );

    expect(String((error as RolledBackError).leftUntouched)).toContain(file);
    expect(host.admin.readFile(file)).toBe('theirs');
    expect(await names()).toEqual(['web1.img']);
  });

  test('its undo is stuck while a loop device uses the file, names the device, and is done afterwards', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.createImage({ file, size: '1m' });
        host.admin.losetup(file);
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('behind the loop device /dev/loop0');
    expect(await host.stat(file)).toBeDefined();
    host.admin.detachLoop('/dev/loop0');
    host.kill();
    host = host.restart();
    await recoverAll(host);
    expect(await names()).toEqual([]);
  });
});
