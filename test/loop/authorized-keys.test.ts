import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endKeys, putKeys, readKeys } from '../../src/account/as-user.ts';
import { scratch } from '../unit/file/support.ts';

// The script runs as the user 65534, who is on every Debian.
const id = 65534;
let step: ReturnType<typeof scratch>;
let owner: { readonly uid: number; readonly gid: number; readonly home: string };
const at = (name = ''): string => join(owner.home, '.ssh', name);

beforeEach(() => {
  step = scratch();
  const home = mkdtempSync(join(tmpdir(), 'bofh-home-'));
  owner = { uid: id, gid: id, home };
  chownSync(home, id, id);
});

afterEach(() => {
  rmSync(owner.home, { recursive: true });
  step.remove();
});

function has(text: string, mode = 0o600): void {
  mkdirSync(at(), { recursive: true });
  writeFileSync(at('authorized_keys'), text);
  for (const path of [at(), at('authorized_keys')]) chownSync(path, id, id);
  chmodSync(at('authorized_keys'), mode);
}

const replace = async (verb: 'back' | 'end', made: boolean): Promise<void> => {
  await step.host.run(putKeys(owner, 'm1', 'new é\n'));
  expect(await step.host.run(readKeys(owner))).toBe('new é\n');
  await step.host.run(endKeys(owner, 'm1', { verb, made }));
};

it('reads a file byte for byte, and reports that none exists', async () => {
  expect(await step.host.run(readKeys(owner))).toBeUndefined();
  has('');
  expect(await step.host.run(readKeys(owner))).toBe('');
  writeFileSync(at('authorized_keys'), Buffer.from([0, 255, 10]));
  expect(await step.host.run(readKeys(owner))).toBe('\0ÿ\n');
});

it.each(['back', 'end'] as const)(
  'with an existing file, %s leaves the old or the new one, with its mode, and nothing else',
  async (verb) => {
    has('old\n', 0o640);
    await replace(verb, false);

    expect(readFileSync(at('authorized_keys'), 'latin1')).toBe(verb === 'back' ? 'old\n' : 'new é\n');
    expect(lstatSync(at('authorized_keys')).mode & 0o777).toBe(0o640);
    expect(lstatSync(at('authorized_keys')).uid).toBe(id);
    expect(readdirSync(at())).toEqual(['authorized_keys']);
  },
);

it('the undo of the first key removes the directory again, unless something else is in it', async () => {
  await replace('back', true);
  expect(existsSync(at())).toBe(false);

  await step.host.run(putKeys(owner, 'm1', 'new\n'));
  expect(lstatSync(at()).mode & 0o777).toBe(0o700);
  expect(lstatSync(at('authorized_keys')).mode & 0o777).toBe(0o600);
  writeFileSync(at('config'), '');
  await step.host.run(endKeys(owner, 'm1', { verb: 'back', made: true }));
  expect(readdirSync(at())).toEqual(['config']);
});

it('does not write through a link to a place that the user may not write', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'bofh-root-'));
  writeFileSync(join(elsewhere, 'authorized_keys'), 'of root\n', { mode: 0o600 });
  symlinkSync(elsewhere, at());

  await expect(step.host.run(readKeys(owner))).rejects.toMatchObject({ reason: 'denied' });
  await expect(step.host.run(putKeys(owner, 'm1', 'new\n'))).rejects.toMatchObject({ reason: 'denied' });
  expect(readdirSync(elsewhere)).toEqual(['authorized_keys']);
  expect(readFileSync(join(elsewhere, 'authorized_keys'), 'utf8')).toBe('of root\n');
  rmSync(elsewhere, { recursive: true });
});

it('refuses a directory, a FIFO and a device', async () => {
  mkdirSync(at());
  symlinkSync('/dev/zero', at('authorized_keys'));

  await expect(step.host.run(readKeys(owner))).rejects.toThrow(/not a regular file/);
});
