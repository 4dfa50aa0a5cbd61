import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { locate, loopDevices } from '../../src/blockdevice/index.ts';
import { keysOf } from '../../src/blockdevice/keys.ts';
import { attachLoop, createImage, detachLoop } from '../../src/blockdevice/operations.ts';
import { RefusedError, RolledBackError, StuckError } from '../../src/core/errors.ts';
import { localHost } from '../../src/host/local.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
const codes = [createImage, attachLoop, detachLoop] as readonly unknown[] as readonly AnyOperation[];
let disk: ReturnType<typeof storage>;
let file = '';
let sequences = 0;
let states = 0;

beforeAll(() => {
  disk = storage();
});

afterAll(() => {
  disk.clean();
});

beforeEach(() => {
  sequences += 1;
  file = disk.path(`web ${sequences}.img`);
  writeFileSync(file, '');
  truncateSync(file, 8 * 1024 ** 2);
});

const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  states += 1;
  const engine = testEngine(disk.makeDir(`state-${states}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};
const failed = (body: (tx: Steps) => Promise<unknown>): Promise<unknown> =>
  run(async (tx) => {
    await body(tx);
    throw new Error('a later step fails');
  }).catch((error: unknown) => error);
/** Attaches and detaches an image for some seconds, without bofh. */
function others(image: string): { readonly ended: Promise<unknown> } {
  const script =
    'end=$(($(date +%s) + 8)); while [ $(date +%s) -lt $end ]; do losetup --detach "$(losetup --find --show "$1")"; done';
  const child = spawn('sh', ['-c', script, 'sh', image], { stdio: 'ignore' });
  return { ended: once(child, 'close') };
}

/** Of the file of this test alone: other loop devices of this machine come and go. */
const mine = async () => (await loopDevices(host)).filter((loop) => loop.file.startsWith(file));

test('partitions that the kernel would keep after a detach are not left behind, and not used', async () => {
  const { number, device } = await run((tx) => tx.step(attachLoop, { file }));
  const part = `/sys/block/loop${String(number)}/loop${String(number)}p1`;
  const has = () => sh('sh', '-c', `test -e ${part} && echo yes || echo no`).trim();
  sh('sh', '-c', `echo 2048,4096 | sfdisk --quiet --no-reread ${device} && partx --add ${device}`);

  const error = await run((tx) => tx.step(detachLoop, { device })).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RefusedError);
  expect(String((error as RefusedError).remedy)).toContain(`partx --delete ${device}; then run`);

  // What others leave at a free number is not used.
  sh('losetup', '--detach', device);
  expect(has()).toBe('yes');
  const next = await run((tx) => tx.step(attachLoop, { file }));
  expect(next.device).not.toBe(device);
  await run((tx) => tx.step(detachLoop, { device: next.device }));
  sh('losetup', device, file);
  sh('partx', '--delete', device);
  await run((tx) => tx.step(detachLoop, { device }));
  expect(has()).toBe('no');
});

test('the undo of an attachment is stuck while the kernel has partitions of others on it', async () => {
  let device = '';
  const error = await failed(async (tx) => {
    ({ device } = await tx.step(attachLoop, { file }));
    sh('sh', '-c', `echo 2048,4096 | sfdisk --quiet --no-reread ${device} && partx --add ${device}`);
  });
  const left = await mine();
  sh('partx', '--delete', device);
  sh('losetup', '--detach', device);

  expect(error).toBeInstanceOf(StuckError);
  expect(String(error)).toContain(`${device} has partitions in the kernel`);
  expect(left).toMatchObject([{ device, autoclear: false }]);
});

test('the undo of a detach is stuck while others use the file', async () => {
  const device = sh('losetup', '--find', '--show', file).trim();
  const error = await failed(async (tx) => {
    await tx.step(detachLoop, { device });
    sh('mount', '--bind', file, file);
  });
  sh('umount', file);

  expect(error).toBeInstanceOf(StuckError);
  expect(String(error)).toContain(`${file} is in use: mounted on ${file}`);
  expect(await mine()).toEqual([]);
});

test('the undo of a detach is stuck while the file has another name, and says what to restore', async () => {
  const device = sh('losetup', '--find', '--show', file).trim();
  const error = await failed(async (tx) => {
    await tx.step(detachLoop, { device });
    sh('mv', file, `${file}.old`);
  });

  expect(error).toBeInstanceOf(StuckError);
  const inode = String(statSync(`${file}.old`).ino);
  expect(JSON.stringify(error)).toContain(`restore the file with the inode ${inode} at this path`);
  expect(JSON.stringify(error)).not.toContain('losetup --detach');
});

describe('the file behind a loop device', () => {
  test('is read once, and again when another file is attached at the same number', async () => {
    const asked: string[] = [];
    const log = (event: { readonly event: string; readonly tool: string }): void => {
      if (event.event === 'program started') asked.push(event.tool);
    };
    const one = localHost({ log });
    const other = `${file}.other`;
    writeFileSync(other, '');
    truncateSync(other, 8 * 1024 ** 2);
    const device = '/dev/loop91';
    sh('losetup', device, file);
    try {
      const first = [await keysOf(one, device), await keysOf(one, device)];
      expect(asked).toEqual(['losetup']);
      sh('losetup', '--detach', device);
      sh('losetup', device, other);
      const second = await keysOf(one, device);

      expect(first.map(({ key }) => key)).toEqual(Array(2).fill(keyOf(file)));
      expect(second.key).toBe(keyOf(other));
    } finally {
      sh('losetup', '--detach', device);
    }
  });

  const keyOf = (path: string): string => {
    const { dev, ino } = statSync(path);
    return `dev:loop:${String(dev >> 8)}:${String(dev & 0xff)}:${String(ino)}`;
  };
});

describe('attachLoop', () => {
  test('attaches a part of a file, and its undo detaches it', async () => {
    let between: unknown;
    const error = await failed(async (tx) => {
      await tx.step(attachLoop, { file, offset: '1m', size: '2m', mode: 'ro', sectorSize: 4096 });
      between = await mine();
    });

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toMatchObject([{ offset: 1048576, limit: 2097152, mode: 'ro', sectorSize: 4096 }]);
    expect(await mine()).toEqual([]);
  });

  test('is refused for an attached file', async () => {
    const device = sh('losetup', '--find', '--show', file).trim();
    const error = await run((tx) => tx.step(attachLoop, { file })).catch((one: unknown) => one);
    sh('losetup', '--detach', device);

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(device);
  });

  test('its undo is stuck while a process has the device open, and names that process', async () => {
    let open = -1;
    const error = await failed(async (tx) => {
      const { device } = await tx.step(attachLoop, { file });
      open = openSync(device, 'r');
    });
    const left = await mine();
    closeSync(open);

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain(`process ${process.pid} (`);
    expect(left).toMatchObject([{ autoclear: true }]);
    expect(await mine()).toEqual([]);
  }, 30_000);
});

describe('createImage', () => {
  test.each(['sparse', 'allocated'] as const)(
    'creates a %s image, whose device is undone with it',
    async (room) => {
      const image = disk.path(`made ${room}.img`);
      let between: unknown;
      const error = await failed(async (tx) => {
        await tx.step(createImage, { file: image, size: '8m', room });
        await tx.step(attachLoop, { file: image });
        const { size, blocks, nlink } = statSync(image);
        between = { size, isSparse: blocks * 512 < size, nlink };
      });

      expect(error).toBeInstanceOf(RolledBackError);
      expect(between).toEqual({ size: 8 * 1024 ** 2, isSparse: room === 'sparse', nlink: 2 });
      expect(
        readdirSync(disk.dir).filter((name) => name.includes('made') || name.startsWith('.bofh')),
      ).toEqual([]);
    },
  );

  test('keeps only the name of the file after the commit', async () => {
    const image = disk.path('kept.img');
    await run((tx) => tx.step(createImage, { file: image, size: '1m' }));

    expect(statSync(image)).toMatchObject({ size: 1024 ** 2, nlink: 1 });
    expect(readdirSync(disk.dir).filter((name) => name.startsWith('.bofh'))).toEqual([]);
  });
});

describe('detachLoop', () => {
  test('detaches the file, and its undo attaches it at the same number', async () => {
    // A number that no other program gets meanwhile.
    const device = '/dev/loop90';
    sh('losetup', '--partscan', '--offset', '4096', device, file);
    const before = await mine();
    let between: unknown;
    const error = await failed(async (tx) => {
      await tx.step(detachLoop, { device });
      between = await mine();
    });
    const after = await mine();
    sh('losetup', '--detach', device);

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toEqual([]);
    expect(before).toHaveLength(1);
    expect(after).toEqual(before);
  });

  // Another program may get the number meanwhile: then the undo is stuck, and says so.
  test('of a device that the same sequence attached leaves nothing behind when a later step fails', {
    retry: 5,
  }, async () => {
    const error = await failed(async (tx) => {
      const { device } = await tx.step(attachLoop, { file });
      await tx.step(detachLoop, { device });
    });

    expect(error).toBeInstanceOf(RolledBackError);
    expect(await mine()).toEqual([]);
  });

  test('is refused while a process has the device open, and while the file has no name', async () => {
    const device = sh('losetup', '--find', '--show', file).trim();
    const open = openSync(device, 'r');
    const held = await run((tx) => tx.step(detachLoop, { device })).catch((one: unknown) => one);
    closeSync(open);
    rmSync(file);
    const lost = await run((tx) => tx.step(detachLoop, { device })).catch((one: unknown) => one);
    const after = await mine();
    sh('losetup', '--detach', device);

    expect(String(held)).toContain(`process ${process.pid} (`);
    expect(String(lost)).toContain('an undo cannot attach it again');
    expect(after).toMatchObject([{ autoclear: false, device }]);
  });
});

test('lists every loop device while others attach and detach theirs', async () => {
  const churning = [1, 2, 3].map((n) => {
    const image = disk.path(`others ${n}.img`);
    writeFileSync(image, '');
    truncateSync(image, 1024 ** 2);
    return others(image);
  });
  const state = { isOver: false };
  void Promise.all(churning.map(({ ended }) => ended)).then(() => (state.isOver = true));
  const wrong = new Set<string>();
  let looks = 0;
  while (!state.isOver) {
    looks += 1;
    const [listed, found] = await Promise.allSettled([
      loopDevices(host),
      locate(host, { path: '/dev/none', identity: 'dev:loop:0:0:1@0' }),
    ]);
    if (listed.status === 'rejected') wrong.add(String(listed.reason));
    // There is no such device, and that is all that may be wrong.
    if (found.status === 'fulfilled' || !String(found.reason).includes('/dev/none is missing'))
      wrong.add(found.status === 'fulfilled' ? 'found' : String(found.reason));
  }
  expect([...wrong]).toEqual([]);
  expect(looks).toBeGreaterThan(10);
});
