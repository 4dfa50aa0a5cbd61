import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { RefusedError, RolledBackError, StuckError, UsageError } from '../../../../src/core/errors.ts';
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
  host.admin.writeFile(file, 'x'.repeat(64 * 1024));
  host.admin.writeFile('/srv/other.img', 'y'.repeat(64 * 1024));
});

const does = <T>(body: (tx: Tx) => Promise<T>, on = host): Promise<T> =>
  withoutWaiting(() => withBofh(bofhOn(on), () => atomic('loops', body)));
const loops = (on = host): readonly string[] =>
  [...on.world.loops.values()].map(
    ({ minor, path, autoclear }) => `${minor} ${path}${autoclear ? ' going' : ''}`,
  );

describe('attachLoop', () => {
  test('takes the lowest free number, and returns the device', async () => {
    host.admin.losetup('/srv/other.img');

    expect(await does((tx) => tx.block.attachLoop({ file }))).toEqual({ device: '/dev/loop1', number: 1 });
    expect(loops()).toContain(`1 ${file}`);
  });

  test('gives concurrent calls different numbers', async () => {
    const made = await does((tx) =>
      Promise.all([tx.block.attachLoop({ file }), tx.block.attachLoop({ file: '/srv/other.img' })]),
    );

    expect(made.map(({ device }) => device).sort()).toEqual(['/dev/loop0', '/dev/loop1']);
  });

  test('takes another number when a concurrent process takes the first', async () => {
    let done = false;
    host.faults.decide(({ tool, access }) => {
      if (tool === 'losetup' && access === 'change' && !done) host.admin.losetup('/srv/other.img');
      done = done || (tool === 'losetup' && access === 'change');
      return undefined;
    });

    expect(await does((tx) => tx.block.attachLoop({ file }))).toMatchObject({ device: '/dev/loop1' });
    expect(loops().toSorted()).toEqual(['0 /srv/other.img', `1 ${file}`]);
  });

  test('leaves alone a concurrent attachment of the same file', async () => {
    host.faults.decide(({ tool, access }) => {
      if (tool === 'losetup' && access === 'change') host.admin.losetup(file);
      return undefined;
    });

    const error = await failureOf(does((tx) => tx.block.attachLoop({ file })));

    expect(String(error)).toContain('/dev/loop0');
    expect(loops()).toEqual([`0 ${file}`]);
  });

  test('is refused for an attached part of a file, and names the device', async () => {
    host.admin.losetup(file, { offset: 4096, limit: 4096 });

    for (const part of [{}, { offset: 4096, size: 512 }, { offset: 512, size: '4k' }])
      await expect(does((tx) => tx.block.attachLoop({ file, ...part }))).rejects.toThrow(
        /\/dev\/loop0 \(rw\)/,
      );
    expect(await does((tx) => tx.block.attachLoop({ file, offset: '8k' }))).toMatchObject({ number: 1 });
  });

  test('allows two read-only attachments of one file', async () => {
    host.admin.losetup(file, { mode: 'ro' });

    await does((tx) => tx.block.attachLoop({ file, mode: 'ro' }));

    expect(loops()).toHaveLength(2);
    await expect(does((tx) => tx.block.attachLoop({ file }))).rejects.toThrow(RefusedError);
  });

  test('is refused for anything but a regular file, and for a range beyond its end', async () => {
    host.admin.symlink('/srv/link', file);

    await expect(does((tx) => tx.block.attachLoop({ file: '/srv/none' }))).rejects.toThrow(
      /there is no file/,
    );
    await expect(does((tx) => tx.block.attachLoop({ file: '/srv/link' }))).rejects.toThrow(/symbolic link/);
    await expect(does((tx) => tx.block.attachLoop({ file: '/srv' }))).rejects.toThrow(/directory/);
    await expect(does((tx) => tx.block.attachLoop({ file, size: 511 }))).rejects.toThrow(
      `${file}: 511 bytes from byte 0 on are less than one sector of 512 bytes`,
    );
    for (const part of [{ offset: '64k' }, { offset: '60k', size: '8k' }])
      await expect(does((tx) => tx.block.attachLoop({ file, ...part }))).rejects.toThrow(UsageError);
    expect(loops()).toEqual([]);
  });

  test('its undo leaves alone a later attachment of the same file at its number', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.attachLoop({ file });
        host.admin.detachLoop('/dev/loop0');
        host.admin.losetup(file);
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(String((error as RolledBackError).leftUntouched)).toContain('/dev/loop0');
    expect(loops()).toEqual([`0 ${file}`]);
  });

  test('its undo is stuck while the device is in use, names the holder, and is done afterwards', async () => {
    const error = await failureOf(
      does(async (tx) => {
        const { device } = await tx.block.attachLoop({ file });
        host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: 'u', version: '1.0' });
        host.admin.mkdir('/mnt/web1');
        host.admin.mount(device, '/mnt/web1');
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('mounted on /mnt/web1');
    expect(loops()).toEqual([`0 ${file}`]);
    host.admin.umount('/mnt/web1');
    host.kill();
    const again = host.restart();
    await recoverAll(again);
    expect(loops(again)).toEqual([]);
  });

  test('its undo waits for a process that has the device open, and then names it', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.attachLoop({ file });
        host.admin.hold('7:0', 'dd if=/dev/loop0');
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('dd');
    expect(loops()).toEqual([`0 ${file} going`]);
    host.admin.letGo('7:0');
    expect(loops()).toEqual([]);
  });

  test('undoes file, loop device, filesystem and mount together', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        host.admin.writeFile('/srv/big.img', new Uint8Array(2 * 1024 ** 2));
        const { device } = await tx.block.attachLoop({ file: '/srv/big.img' });
        await tx.filesystem.create({ device, type: 'ext4' });
        await tx.mount.mount({ device, mode: 'rw' });
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(loops()).toEqual([]);
    const now = host
      .snapshot()
      .split('\n')
      .filter((line) => !line.includes('big.img'));
    expect(now.filter((line) => !before.includes(line) && !line.includes('holds blank'))).toEqual([]);
  });
});

describe('detachLoop', () => {
  test('detaches, and its undo attaches the same part with the same options and number', async () => {
    const how = { minor: 7, offset: 4096, limit: 8192, mode: 'ro', partitions: 'scanned' } as const;
    const device = host.admin.losetup(file, how);
    const before = host.snapshot();
    let between: readonly string[] = [];

    const error = await failureOf(
      does(async (tx) => {
        await tx.block.detachLoop({ device });
        between = loops();
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toEqual([]);
    expect(host.snapshot()).toBe(before);
  });

  test('is refused while a process has it open, because losetup would detach it later', async () => {
    const device = host.admin.losetup(file);
    host.admin.hold('7:0', 'cat /dev/loop0');

    const error = await failureOf(does((tx) => tx.block.detachLoop({ device })));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('cat');
    expect(loops()).toEqual([`0 ${file}`]);
  });

  test('is stuck when a process opens it meanwhile, and finishes when it is closed', async () => {
    const device = host.admin.losetup(file);
    let armed = true;
    host.faults.decide(({ tool, argv }) => {
      if (armed && tool === 'losetup' && argv.includes('--detach')) host.admin.hold('7:0', 'blkid');
      if (tool === 'losetup' && argv.includes('--detach')) armed = false;
      return undefined;
    });

    const error = await failureOf(does((tx) => tx.block.detachLoop({ device })));

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('blkid');
    expect(loops()).toEqual([`0 ${file} going`]);
    host.admin.letGo('7:0');
    host.kill();
    const again = host.restart();
    await recoverAll(again);
    expect(loops(again)).toEqual([`0 ${file}`]);
  });

  test('its undo is stuck while another file has the number, and detaches nothing', async () => {
    const device = host.admin.losetup(file);
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.detachLoop({ device });
        host.admin.losetup('/srv/other.img');
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('/srv/other.img');
    expect(loops()).toEqual(['0 /srv/other.img']);
  });

  test('its undo is stuck while others have attached the same bytes elsewhere', async () => {
    const device = host.admin.losetup(file);
    const error = await failureOf(
      does(async (tx) => {
        await tx.block.detachLoop({ device });
        host.admin.losetup(file, { minor: 7, offset: 4096 });
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain(`${file} is attached as /dev/loop7 (rw) now`);
    expect(loops()).toEqual([`7 ${file}`]);
    host.admin.detachLoop('/dev/loop7');
    await recoverAll(host.restart());
  });

  test('its undo keeps a device over the same bytes that was there before', async () => {
    host.admin.losetup(file, { minor: 7, offset: 4096 });
    const device = host.admin.losetup(file, { minor: 0 });
    const before = host.snapshot();

    const error = await failureOf(
      does(async (tx) => {
        await tx.block.detachLoop({ device });
        return failNow();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('is refused when the file has no name any more, or another file has its name', async () => {
    const device = host.admin.losetup(file);
    host.admin.removeFile(file);

    await expect(does((tx) => tx.block.detachLoop({ device }))).rejects.toThrow(
      /an undo cannot attach it again/,
    );
    host.admin.writeFile(file, 'z'.repeat(1024));
    await expect(does((tx) => tx.block.detachLoop({ device }))).rejects.toThrow(
      /an undo cannot attach it again/,
    );
    expect(loops()).toHaveLength(1);
  });

  test('is refused for a device that is none, or has no file', async () => {
    await expect(does((tx) => tx.block.detachLoop({ device: '/dev/vda' }))).rejects.toThrow(
      /not a loop device/,
    );
  });

  test('a reboot ends the undo', async () => {
    const device = host.admin.losetup(file);
    host.fault({ tool: 'losetup', mode: 'acts then crash' });
    await does((tx) => tx.block.detachLoop({ device })).catch(() => undefined);
    const again = host.reboot();

    await recoverAll(again);

    expect(loops(again)).toEqual([]);
  });
});
