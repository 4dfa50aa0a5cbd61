import { chmodSync, linkSync, mkdirSync, rmdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeHost } from '../../../src/command/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { setAttributes } from '../../../src/file/operations.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { scratch, take } from './support.ts';

let host: ChangeHost;
let clean: () => void;
let path: string;

beforeEach(() => {
  const made = scratch();
  ({ host, remove: clean } = made);
  path = join(made.dir, 'photos');
  mkdirSync(path, { mode: 0o755 });
});

afterEach(() => clean());

const mode = (): number => statSync(path).mode & 0o7777;

describe('the mode of a directory', () => {
  it('is set, and restored by the undo, twice as well', async () => {
    const step = await take(setAttributes, { path, mode: 0o2750 }, host);
    await step.run();
    expect([mode(), (await step.look()).state]).toEqual([0o2750, 'ours']);
    await step.goBack('without result');
    expect([mode(), (await step.look()).state]).toEqual([0o755, 'gone']);
    await step.goBack();
    expect(mode()).toBe(0o755);
  });

  it('loses setgid, which chmod keeps with four digits', async () => {
    chmodSync(path, 0o2755);
    const step = await take(setAttributes, { path, mode: 0o755 }, host);
    await step.run();
    expect(mode()).toBe(0o755);
    await step.goBack();
    expect(mode()).toBe(0o2755);
  });

  it('that others changed since stays', async () => {
    const step = await take(setAttributes, { path, mode: 0o700 }, host);
    await step.run();
    chmodSync(path, 0o711);
    expect(await step.look()).toMatchObject({ state: 'not-ours' });
    await step.goBack();
    expect(mode()).toBe(0o711);
  });

  it.each([{ mode: 0o700 }, { uid: 33 }])('whose owner others changed since stays: %o', async (asked) => {
    const simulated = simulatedHost();
    const own = '/srv/photos';
    simulated.admin.mkdir('/srv');
    simulated.admin.mkdir(own);
    const inside = simulated.during({ outputs: '/nowhere', lock: -1 });
    const step = await take(setAttributes, { path: own, ...asked }, inside);
    await step.run();
    expect((await step.look()).state).toBe('ours');
    simulated.admin.chown(own, 7);
    expect(await step.look()).toMatchObject({ state: 'not-ours' });
    await step.goBack();
    expect(await simulated.stat(own)).toMatchObject({ uid: 7, mode: asked.mode ?? 0o755 });
  });

  it('of another directory in its place stays', async () => {
    const step = await take(setAttributes, { path, mode: 0o700 }, host);
    await step.run();
    mkdirSync(`${path}.new`, { mode: 0o700 });
    rmdirSync(path);
    mkdirSync(path, { mode: 0o700 });
    expect(await step.look()).toMatchObject({ state: 'not-ours' });
    await step.goBack();
    expect(mode()).toBe(0o700);
  });

  it('that changed before the step is refused', async () => {
    const step = await take(setAttributes, { path, mode: 0o700 }, host);
    chmodSync(path, 0o711);
    await expect(step.run()).rejects.toThrow('changed concurrently');
    expect(mode()).toBe(0o711);
  });
});

describe('the ACL of a directory', () => {
  const own = '/srv/photos';
  const acl = (entry: string): string => `user::rwx,${entry},group::r-x,mask::rwx,other::---`;
  const started = async () => {
    const simulated = simulatedHost();
    simulated.admin.mkdir(own);
    simulated.admin.setAcl(own, acl('user:7:r-x'), acl('user:8:r-x'));
    const inside = simulated.during({ outputs: '/nowhere', lock: -1 });
    const asked = { path: own, mode: 0o2750, acl: ['user:33:rwx'], defaultAcl: [] };
    return { simulated, step: await take(setAttributes, asked, inside) };
  };

  it('is set with the mode, and restored by the undo, twice as well', async () => {
    const { simulated, step } = await started();
    const before = simulated.snapshot();
    await step.run();
    expect((await step.look()).state).toBe('ours');
    expect((await simulated.stat(own))?.mode).toBe(0o2770);
    await step.goBack('without result');
    expect([simulated.snapshot(), (await step.look()).state]).toEqual([before, 'gone']);
    await step.goBack();
    expect(simulated.snapshot()).toBe(before);
  });

  it.each([
    ['ACL', acl('user:9:rwx'), ''],
    ['default ACL', acl('user:33:rwx'), acl('user:9:rwx')],
  ])('whose %s others changed since stays', async (_, ...lists) => {
    const { simulated, step } = await started();
    await step.run();
    simulated.admin.setAcl(own, ...lists);
    const changed = simulated.snapshot();
    expect(await step.look()).toMatchObject({ state: 'not-ours' });
    await step.goBack();
    expect(simulated.snapshot()).toBe(changed);
  });

  it('that changed before the step is refused', async () => {
    const { simulated, step } = await started();
    simulated.admin.setAcl(own, acl('user:7:r-x'), acl('user:9:r-x'));
    const changed = simulated.snapshot();
    await expect(step.run()).rejects.toThrow('changed concurrently');
    expect(simulated.snapshot()).toBe(changed);
  });
});

const rows: readonly (readonly [string, () => void, object, string])[] = [
  ['a missing directory', () => rmdirSync(path), { mode: 0o700 }, 'there is no file or directory'],
  ['what it is already', () => undefined, { mode: 0o755 }, 'has this owner and mode already'],
  [
    'a link',
    () => {
      rmdirSync(path);
      symlinkSync('x', path);
    },
    { mode: 0o700 },
    'is not a file or directory but a symbolic link',
  ],
  [
    'the owner of a file',
    () => {
      rmdirSync(path);
      writeFileSync(path, 'x');
    },
    { uid: 12345 },
    'cannot be changed in place',
  ],
  [
    'a default ACL of a file',
    () => {
      rmdirSync(path);
      writeFileSync(path, 'x');
    },
    { defaultAcl: [] },
    'cannot have a default ACL',
  ],
  ['an ACL that it has already', () => undefined, { acl: [] }, 'has this owner, mode and ACL already'],
  [
    'a file with two names',
    () => {
      rmdirSync(path);
      writeFileSync(path, 'x', { mode: 0o644 });
      linkSync(path, `${path}.2`);
    },
    { mode: 0o600 },
    'has another hard link',
  ],
];

it.each(rows)('%s is refused', async (_, before, asked, message) => {
  before();
  const error = await rejectionOf(take(setAttributes, { path, ...asked }, host));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(message);
});

it('also sets the mode of a file that an earlier step of the sequence created', async () => {
  const machine = simulatedHost();
  let mode: number | undefined;
  const failed = await rejectionOf(
    withBofh(simulatedBofh({ host: machine }), () =>
      atomic('test', async (tx) => {
        await tx.file.create({ path: '/etc/web.conf', content: '' });
        await tx.file.setAttributes({ path: '/etc/web.conf', mode: 0o600 });
        mode = (await machine.stat('/etc/web.conf'))?.mode;
        throw new Error('later');
      }),
    ),
  );
  expect(failed).toBeInstanceOf(RolledBackError);
  expect(mode).toBe(0o600);
  expect(await machine.stat('/etc/web.conf')).toBeUndefined();
});
