import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makePlace } from '../../../../src/host/ssh/place.ts';

let above = '';
beforeEach(() => {
  above = mkdtempSync(join(tmpdir(), 'bofh-place-'));
});
afterEach(() => rmSync(above, { recursive: true, force: true }));

/** As that of a bofh that is no more. */
function leftOver(): string {
  const { pid } = spawnSync('/bin/true');
  const path = join(above, `bofh-ssh-${String(pid)}-AbCdEf`);
  mkdirSync(path);
  return path;
}

it('removes the directory of a connection with it', () => {
  const place = makePlace(above);
  writeFileSync(place.socket, '');
  expect(existsSync(dirname(place.socket))).toBe(true);

  place.remove();

  expect(readdirSync(above)).toEqual([]);
});

it('removes directories of a killed bofh, and keeps used and foreign ones', () => {
  const [empty, open] = [leftOver(), leftOver()];
  writeFileSync(join(open, 's'), '');
  const foreign = join(above, 'ssh-AbCdEfGhIj');
  mkdirSync(foreign);
  const [first, second] = [makePlace(above), makePlace(above)];

  expect(existsSync(empty)).toBe(false);
  for (const path of [open, foreign, dirname(first.socket), dirname(second.socket)])
    expect(existsSync(path)).toBe(true);
});
