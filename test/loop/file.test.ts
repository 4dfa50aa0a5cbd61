import { chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RolledBackError, StuckError } from '../../src/core/errors.ts';
import { recover } from '../../src/atomic/recovery/recover.ts';
import { change, create, remove } from '../../src/file/index.ts';
import { scratch, take } from '../unit/file/support.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let device: string;
let root: string;

beforeEach(() => {
  disk = storage();
  step = scratch();
  root = disk.makeDir('root');
  ({ device } = disk.ext4('a.img'));
  sh('mount', device, root);
  writeFileSync(join(root, 'old.cfg'), 'old');
});

afterEach(() => {
  disk.clean();
  step.remove();
});

it('refuses a directory of another user before anything is written', async () => {
  chownSync(root, 65534, 65534);
  const engine = testEngine(disk.path('state'));
  const made = sequence(engine, (tx) =>
    tx.step(create, { path: join(root, 'a.cfg'), content: '', mode: 0o600 }),
  );
  await expect(made).rejects.toThrow(/another user could replace it: \S+ belongs to user 65534/);
  const gone = sequence(engine, (tx) => tx.step(remove, { path: join(root, 'old.cfg') }));
  await expect(gone).rejects.toThrow(/another user could replace it/);
  expect(names()).toEqual(['old.cfg']);
});

it('refuses to remove or change the file of a loop device, which would stay without its name', async () => {
  const engine = testEngine(disk.path('state'));
  const path = disk.path('a.img');
  for (const isRemoval of [true, false]) {
    const error = await sequence(engine, async (tx) => {
      if (isRemoval) await tx.step(remove, { path });
      else await tx.step(change, { path, content: '' });
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'in-use', holders: [{ kind: 'loop', device }] });
  }
  expect(sh('losetup', '--list', '--noheadings', '--output', 'BACK-FILE', device)).not.toContain('deleted');
});

const names = () => readdirSync(root).filter((name) => name !== 'lost+found');

describe('files in a sequence', () => {
  it('are created, and removed at the commit, without a trace', async () => {
    await sequence(testEngine(disk.path('state')), async (tx) => {
      await tx.step(create, { path: join(root, 'new.cfg'), content: 'new', mode: 0o644 });
      await tx.step(remove, { path: join(root, 'old.cfg') });
    });
    expect(names()).toEqual(['new.cfg']);
    expect(statSync(join(root, 'new.cfg')).nlink).toBe(1);
  });

  it('are as before after a failure', async () => {
    const inode = statSync(join(root, 'old.cfg')).ino;
    const failure = sequence(testEngine(disk.path('state')), async (tx) => {
      await tx.step(remove, { path: join(root, 'old.cfg') });
      await tx.step(create, { path: join(root, 'old.cfg'), content: 'new', mode: 0o644 });
      throw new Error('later');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(names()).toEqual(['old.cfg']);
    expect(statSync(join(root, 'old.cfg')).ino).toBe(inode);
    expect(readFileSync(join(root, 'old.cfg'), 'utf8')).toBe('old');
  });

  it('leave the journal open while another file has the old name', async () => {
    const engine = testEngine(disk.path('state'));
    const path = join(root, 'old.cfg');
    const failure: unknown = await sequence(engine, async (tx) => {
      await tx.step(remove, { path });
      writeFileSync(path, 'foreign');
      throw new Error('later');
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StuckError);
    expect((failure as StuckError).message).toContain('its name was taken meanwhile');
    expect(readFileSync(path, 'utf8')).toBe('foreign');
    sh('mv', path, join(root, 'foreign'));
    await recover((failure as StuckError).id ?? '', { engine, yes: true });
    expect(names()).toEqual(['foreign', 'old.cfg']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('are complete or absent on a full disk', async () => {
    expect(() => sh('dd', 'if=/dev/zero', `of=${root}/filler`, 'bs=64k')).toThrow();
    const failure = sequence(testEngine(disk.path('state')), (tx) =>
      tx.step(create, { path: join(root, 'new.cfg'), content: 'x'.repeat(100_000), mode: 0o644 }),
    );
    await expect(failure).rejects.toMatchObject({ cause: { reason: 'no-space' } });
    expect(names()).toEqual(['filler', 'old.cfg']);
  });
});

describe('a removed file', () => {
  it('is recognised when its device has another number after a reboot', async () => {
    const removed = await take(remove, { path: join(root, 'old.cfg') }, step.host);
    await removed.run();
    const before = statSync(root).dev;
    sh('umount', root);
    const placeholder = disk.ext4('b.img');
    sh('losetup', '--detach', device);
    const other = sh('losetup', '--find', '--show', disk.path('a.img')).trim();
    // The kernel may hand out the number that has just become free: then a second one is asked for.
    const second =
      other === device ? sh('losetup', '--find', '--show', disk.path('a.img')).trim() : undefined;
    sh('mount', second ?? other, root);
    try {
      expect(statSync(root).dev).not.toBe(before);
      expect(placeholder.device).not.toBe(other);
      expect(await removed.look('without result')).toEqual({ state: 'ours' });
      await removed.goBack('without result');
      expect(names()).toEqual(['old.cfg']);
    } finally {
      sh('umount', root);
      if (second !== undefined) sh('losetup', '--detach', second);
      if (other !== device) {
        sh('losetup', '--detach', other);
        sh('losetup', device, disk.path('b.img'));
      }
    }
  });
});
