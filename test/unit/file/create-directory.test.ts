import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { atomic } from '../../../src/api/atomic.ts';
import { recover } from '../../../src/api/recover.ts';
import { withBofh } from '../../../src/bofh.ts';
import type { ChangeHost } from '../../../src/command/index.ts';
import { createDirectory } from '../../../src/file/operations.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { mark, scratch, take } from './support.ts';

let dir: string;
let host: ChangeHost;
let clean: () => void;
let path: string;

beforeEach(() => {
  ({ dir, host, remove: clean } = scratch());
  path = join(dir, 'photos');
});

afterEach(() => clean());

const names = () => readdirSync(dir).filter((name) => name !== '.outputs');
const own = () => join(dir, `.bofh-${mark}`);

describe('a new directory', () => {
  it('has its mode, whatever the umask, and its tag file until the commit', async () => {
    const step = await take(createDirectory, { path, mode: 0o2775 }, host);
    expect(await step.run()).toEqual({ path });
    expect(statSync(path).mode & 0o7777).toBe(0o2775);
    expect(names()).toEqual([`.bofh-note-${mark}`, 'photos']);

    await step.finish();
    expect(names()).toEqual(['photos']);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('is removed by the undo, also without a result and twice', async () => {
    const step = await take(createDirectory, { path }, host);
    await step.run();
    await step.goBack('without result');
    await step.goBack('without result');
    expect(names()).toEqual([]);
  });

  it('that was partly created is removed too', async () => {
    const step = await take(createDirectory, { path }, host);
    mkdirSync(own());
    await step.goBack('without result');
    expect(names()).toEqual([]);
  });

  it('stays if others put something into it', async () => {
    const step = await take(createDirectory, { path }, host);
    await step.run();
    writeFileSync(join(path, 'letter'), 'theirs');

    expect((await step.look()).found).toBe(`${path} is not empty (letter) and stays`);
    await step.goBack();
    expect([names(), readdirSync(path)]).toEqual([['photos'], ['letter']]);
  });

  it('stays if something is put into it just before it is removed', async () => {
    const step = await take(createDirectory, { path }, host);
    await step.run();
    const late = {
      ...host,
      removeDir: (at: string) => (writeFileSync(join(at, 'letter'), ''), host.removeDir(at)),
    };
    await createDirectory.revert({ undo: step.undo, host: late });
    expect([names(), readdirSync(path)]).toEqual([['photos'], ['letter']]);
  });

  it('that others replaced stays', async () => {
    const step = await take(createDirectory, { path }, host);
    await step.run();
    rmdirSync(path);
    mkdirSync(join(dir, 'hold'));
    mkdirSync(path);

    expect((await step.look()).found).toContain('is another object now and stays');
    await step.goBack();
    expect(existsSync(path)).toBe(true);
  });

  it.each(['file', 'directory'])('does not replace a %s that appeared meanwhile', async (kind) => {
    const step = await take(createDirectory, { path }, host);
    if (kind === 'file') writeFileSync(path, 'theirs');
    else mkdirSync(path);
    const { ino } = statSync(path);

    await expect(step.run()).rejects.toThrow('exists already: it appeared meanwhile');
    await step.goBack('without result');
    expect([names(), statSync(path).ino]).toEqual([['photos'], ino]);
  });

  it('is refused if its name exists or the parent is missing', async () => {
    await expect(take(createDirectory, { path: dir }, host)).rejects.toThrow('exists already');
    await expect(take(createDirectory, { path: join(path, 'inner') }, host)).rejects.toThrow(
      'there is no directory',
    );
  });
});

it('is a mount point in the same sequence, and ensured the second time', async () => {
  const simulated = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 1024 ** 3 }] });
  const run = (fails: boolean) =>
    withBofh(simulatedBofh({ host: simulated }), () =>
      atomic('volume for photos', async (tx) => {
        const lv = await tx.ensure.lvm.createLv({ vg: 'vg0', name: 'photos', size: '64m' });
        await tx.ensure.filesystem.create({ device: lv.value.path, type: 'ext4' });
        const { changed } = await tx.ensure.file.createDirectory({ path: '/srv/photos' });
        await tx.ensure.mount.mount({ device: lv.value.path, path: '/srv/photos', mode: 'rw' });
        if (fails) throw new Error('on purpose');
        return changed;
      }),
    );
  const before = simulated.snapshot();
  await expect(run(true)).rejects.toThrow('on purpose');
  expect(simulated.snapshot()).toEqual(before);
  expect([await run(false), await run(false)]).toEqual([true, false]);
});

it.each([
  ['on it', '/srv/photos'],
  ['in it', '/srv/photos/2026'],
])('stays until a busy mount %s ends, and is removed by the recovery', async (_where, path) => {
  const simulated = simulatedHost({ volumeGroups: [{ name: 'vg0', size: '1g' }] });
  const run = <T>(body: () => Promise<T>) => withBofh(simulatedBofh({ host: simulated }), body);
  const before = simulated.snapshot();
  const stuck = run(() =>
    atomic('volume for photos', async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'photos', size: '64m' });
      await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      await tx.file.createDirectory({ path: '/srv/photos' });
      if (path !== '/srv/photos') await tx.file.createDirectory({ path });
      await tx.mount.mount({ device: lv.path, path, mode: 'rw' });
      simulated.admin.hold(path);
      throw new Error('on purpose');
    }),
  );
  await expect(stuck).rejects.toMatchObject({ code: 'stuck' });
  simulated.admin.letGo(path);

  await run(() => recover());
  expect(simulated.snapshot()).toEqual(before);
});
