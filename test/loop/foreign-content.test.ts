import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { StuckError } from '../../src/core/errors.ts';
import { tarOf } from '../unit/copy/tar.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sh, startScript, storage, testEngine } from './sequence.ts';

// What others write into an object between the death of bofh and its recovery, with the real tools.

let disk: ReturnType<typeof storage>;
let device: string;
let root: string;

const uuid = '5e1f0000-0000-4000-8000-00000000000a';

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
});

afterEach(() => {
  disk.clean();
});

const steps = {
  create: (type: string) =>
    `await tx.step(createFilesystem, { device, type: '${type}', uuid: '${uuid}', label: 'OWN' });`,
  mount: `await tx.step(mount, { device, path: root, mode: 'rw' });`,
  removeDevice: `await tx.step(removeDevice, { path: root, device });`,
  unpack: `await tx.step(unpack, { source, root, device, filesystem: '${uuid}', files: [{ path: 'etc/hostname', content: 'own\\n', mode: 0o644 }] });`,
};

/** A process that takes these steps and is then killed, before it could commit. */
async function killedAfter(...bodies: readonly string[]): Promise<void> {
  const script = disk.path('child.ts');
  const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).pathname);
  const source = disk.path('a.tar');
  const many = Array.from({ length: 50 }, (_, i) => ({
    name: `usr/f${String(i)}`,
    content: `file ${String(i)}\n`,
  }));
  writeFileSync(
    source,
    tarOf([{ name: 'etc/', type: 'dir' }, { name: 'etc/motd', content: 'hello\n' }, ...many]),
  );
  writeFileSync(
    script,
    `import { sequence, testEngine } from ${here('./sequence.ts')};
     import { unpack } from ${here('../../src/copy/operations.ts')};
     import { create as createFilesystem } from ${here('../../src/filesystem/operations.ts')};
     import { mount } from ${here('../../src/mount/operations.ts')};
     import { removeDevice } from ${here('../../src/btrfs/operations.ts')};
     const [device, root, source] = ${JSON.stringify([device, root, source])};
     await sequence(testEngine(${JSON.stringify(disk.path('state'))}), async (tx) => {
       ${bodies.join('\n')}
       process.kill(process.pid, 'SIGKILL');
       await new Promise(() => setInterval(() => {}, 1000));
     });`,
  );
  const { ended } = startScript(script, openSync(disk.path('child.log'), 'w'));
  expect(await ended, readFileSync(disk.path('child.log'), 'utf8')).toBe('SIGKILL');
}

async function recovery(discard: readonly string[] = []): Promise<string> {
  const engine = testEngine(disk.path('state'));
  const [open] = await openJournals(engine);
  return (await recover(open?.id ?? '', { engine, yes: false, discard })).end;
}

describe.each(['ext4', 'xfs', 'btrfs'])('a new %s whose sequence was killed', (type) => {
  beforeEach(() => {
    device = disk.blank('a.img', 320);
  });

  it('mounted by the sequence: a file of others stays, is named, and is removed only when discarded', async () => {
    await killedAfter(steps.create(type), steps.mount);
    mkdirSync(join(root, 'accounts'));
    writeFileSync(join(root, 'accounts/ledger.txt'), 'of somebody else\n');

    const error = await rejectionOf(recovery());

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('"accounts/ledger.txt" (20');
    expect(readFileSync(join(root, 'accounts/ledger.txt'), 'utf8')).toBe('of somebody else\n');
    expect(await recovery([`fs:${uuid}`])).toBe('rolled-back');
    expect(mountedPaths(device)).toEqual([]);
  });

  it('not mounted by the sequence: a file that others wrote stays', async () => {
    await killedAfter(steps.create(type));
    sh('mount', device, root);
    writeFileSync(join(root, 'ledger.txt'), 'of somebody else\n');
    sh('umount', root);

    const error = await rejectionOf(recovery());

    expect(error).toBeInstanceOf(StuckError);
    sh('mount', device, root);
    expect(readFileSync(join(root, 'ledger.txt'), 'utf8')).toBe('of somebody else\n');
    sh('umount', root);
    expect(mountedPaths(device)).toEqual([]);
  });

  it('untouched by others: is undone without a question', async () => {
    await killedAfter(steps.create(type), steps.mount);

    expect(await recovery()).toBe('rolled-back');

    expect(mountedPaths(device)).toEqual([]);
    expect(sh('wipefs', device)).toBe('');
  });

  it('mounted and unmounted by others, who wrote nothing: is undone', async () => {
    await killedAfter(steps.create(type));
    sh('mount', device, root);
    sh('umount', root);

    expect(await recovery()).toBe('rolled-back');
  });
});

describe('an archive unpacked by a sequence that was killed', () => {
  beforeEach(() => {
    device = disk.blank('a.img', 64);
  });

  it('untouched: is undone', async () => {
    await killedAfter(steps.create('ext4'), steps.mount, steps.unpack);
    expect(await recovery()).toBe('rolled-back');
  });

  it('with files missing after an interrupted undo: is undone', async () => {
    sh('mkfs.ext4', '-q', '-U', uuid, device);
    sh('mount', device, root);
    await killedAfter(steps.unpack);
    rmSync(join(root, 'usr/f1'));
    expect(await recovery()).toBe('rolled-back');
  });

  it.each([
    ['a new file', 'ledger.txt'],
    ['one of its files', 'etc/motd'],
    ['a file of the same name, of another directory', 'usr/motd'],
  ])('in an older filesystem: %s that was written since stays', async (_, name) => {
    sh('mkfs.ext4', '-q', '-U', uuid, device);
    sh('mount', device, root);
    await killedAfter(steps.unpack);
    writeFileSync(join(root, name), 'of somebody else\n');
    const open = openSync(join(root, name), 'r');

    const error = await rejectionOf(recovery());
    closeSync(open);

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain(JSON.stringify(name));
    expect(error).toMatchObject({
      blocked: [
        {
          holders: expect.arrayContaining([
            expect.objectContaining({ kind: 'process', pid: process.pid }),
          ]) as unknown,
        },
      ],
    });
    expect(readFileSync(join(root, name), 'utf8')).toBe('of somebody else\n');
    expect(await recovery([`fs:${uuid}`])).toBe('rolled-back');
    expect(existsSync(join(root, name))).toBe(false);
  });
});

describe('a device that a killed sequence removed from a btrfs', () => {
  beforeEach(async () => {
    const first = disk.btrfs('a.img');
    device = disk.blank('b.img', 128);
    sh('mount', first, root);
    sh('btrfs', 'device', 'add', device, root);
    await killedAfter(steps.removeDevice);
  });

  afterEach(() => sh('umount', root));

  it('is added again when it is unchanged', async () => {
    expect(await recovery()).toBe('rolled-back');
    expect(sh('btrfs', 'filesystem', 'show', root)).toContain(device);
  });

  it.each([
    ['start', 4096],
    ['end', 128 * 1024 ** 2 - 100 * 1024],
  ])('keeps raw data that others wrote at its %s, until it is discarded', async (where, offset) => {
    writeAt(device, offset, 'accounts of somebody else');

    const error = await rejectionOf(recovery());

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain(`others wrote to the ${where} of ${device}`);
    expect(readAt(device, offset, 8)).toBe('accounts');
    const [, object = ''] = /--discard (\S+)/.exec(String((error as StuckError).remedy)) ?? [];
    expect(await recovery([object])).toBe('rolled-back');
    expect(sh('btrfs', 'filesystem', 'show', root)).toContain(device);
  });
});

function writeAt(path: string, offset: number, text: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, text, offset);
  fsyncSync(file);
  closeSync(file);
}

function readAt(path: string, offset: number, count: number): string {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(count);
  readSync(file, bytes, 0, count, offset);
  closeSync(file);
  return bytes.toString();
}
