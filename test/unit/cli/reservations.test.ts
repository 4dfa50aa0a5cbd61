import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  doctor,
  journalList,
  journalReserved,
  plan,
  recovered,
} from '../../../src/cli/output/answers/index.ts';
import { reservations } from '../../../src/doctor/index.ts';
import { bofh, type Ended } from './support/built.ts';
import { bare, begin, layJournal } from './support/journals.ts';
import { containing } from './support/containing.ts';

const root = process.getuid?.() === 0;
// Its programs lock below /run, which all tests of this machine share.
const id = `${Date.now().toString(16)}${process.pid.toString(16)}`;
const key = 'lv:vg0/x';

let work = '';
let stateDir = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-reservations-'));
  stateDir = join(work, 'state');
  mkdirSync(join(stateDir, 'reservations'), { recursive: true, mode: 0o700 });
});
afterEach(() => {
  rmSync(work, { recursive: true, force: true });
  if (root) rmSync(`/run/bofh/away/${id}`, { recursive: true, force: true });
});

const at = (...args: readonly string[]): Promise<Ended> => bofh([...args, '--state-dir', stateDir]);
const path = (): string => join(stateDir, 'reservations', id);
const lay = (content = whole): void => {
  writeFileSync(path(), content, { mode: 0o600 });
  utimesSync(path(), 1_700_000_000, 1_700_000_000);
};
const whole = `bofh reservation 1\ncoordinator web1\nsequence ${id} "a volume"\nowner t1\nx "${key}"\ns "vg:vg0"\n`;

/** While a program of the reservation runs on this host. */
async function during(body: (pid: number) => Promise<void>): Promise<void> {
  mkdirSync(`/run/bofh/away/${id}`, { recursive: true, mode: 0o700 });
  const lock = `/run/bofh/away/${id}/lock`;
  const child = spawn('/bin/sh', [
    '-c',
    'exec 3>>"$1"; flock -s 3; echo locked; exec sleep 300',
    'bofh-wait',
    lock,
  ]);
  try {
    await once(child.stdout, 'data');
    await body(child.pid ?? -1);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
}

describe('reservations of another host', () => {
  it('are listed with the journals', async () => {
    lay();
    layJournal(stateDir, 'aa11', [begin('aa11', 'own'), bare(1)]);

    const { exitCode, stdout } = await at('journal', 'list', '--json');

    expect(exitCode).toBe(0);
    expect(journalList.parse(JSON.parse(stdout))).toMatchObject([
      { id: 'aa11', state: 'interrupted' },
      { id, name: 'a volume', state: 'reserved', coordinator: 'web1', at: '2023-11-14T22:13:20.000Z' },
    ]);
    expect((await at('journal', 'list')).stdout).toMatch(/ reserved by web1 .* a volume/);
  });

  it('are shown with their objects and the host that recovers them', async () => {
    lay();

    const { stdout } = await at('journal', 'show', id.slice(0, -1), '--json');

    expect(journalReserved.parse(JSON.parse(stdout))).toMatchObject({
      ...{ id, name: 'a volume', coordinator: 'web1', objects: [key], needs: ['vg:vg0'], programs: [] },
    });
    const text = (await at('journal', 'show', id)).stdout;
    expect(text).toContain(`it creates or changes:\n  ${key}\n`);
    expect(text).toContain(`on web1, make sure that it ends: bofh journal show ${id}; bofh recover ${id}`);
  });

  it('are refused when unreadable, with exit 4, and the journals are still shown', async () => {
    lay('bofh reservation 1\n');
    layJournal(stateDir, 'aa11', [begin('aa11', 'own'), bare(1)]);

    const { exitCode, stdout, stderr } = await at('journal', 'list', '--json');

    expect(exitCode).toBe(4);
    expect(journalList.parse(JSON.parse(stdout))).toMatchObject([
      { id: 'aa11' },
      { id, state: 'unreadable' },
    ]);
    expect(stderr).toContain(`the reservation ${id} of another host cannot be read`);
    expect((await at('journal', 'show', id)).exitCode).toBe(4);
  });

  it('are reported by the doctor, with their age and how to end them', async () => {
    lay();

    const { stdout } = await at('doctor', '--json');

    const found = doctor.parse(JSON.parse(stdout)).filter(({ check }) => check === 'reservation');
    expect(found).toEqual([
      {
        check: 'reservation',
        level: 'warning',
        says: containing(`the sequence ${id} "a volume" of the bofh on web1 has reserved ${key}, last `),
        run: [`bofh journal show ${id}`, `bofh recover --abandon ${id} --because 'web1 never comes back'`],
      },
    ]);
    expect(found[0]?.says).toMatch(/ last \d+ days ago: finish it on web1 \(bofh recover\)/);
  });

  it.each([
    [90, '90 seconds'],
    [119 * 60, '119 minutes'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [-5, '0 seconds'],
  ])('%s seconds ago is %s ago', (seconds, words) => {
    const found = { id, name: 'a', coordinator: 'web1', exclusive: [], shared: [] };
    const [said] = reservations([{ id, changedMs: 0, found }], seconds * 1000);

    expect(said?.says).toContain(`has reserved objects of this host, last ${words} ago`);
  });
});

describe.skipIf(!root)('bofh recover of a reservation of another host', () => {
  it('names that host', async () => {
    lay();

    const { exitCode, stderr } = await at('recover', id);

    expect(exitCode).toBe(4);
    expect(stderr).toContain(`${id} is a sequence of the bofh on web1, which has its journal`);
    expect(stderr).toContain(`next: on web1: bofh recover ${id}`);
    expect(readdirSync(join(stateDir, 'reservations'))).toEqual([id]);
  });

  it('--abandon ends it and stores the reason, which is required; a dry run only shows it', async () => {
    lay();

    expect((await at('recover', '--abandon', id)).exitCode).toBe(2);
    const why = ['--because', 'it burned down'];
    const dry = await at('recover', '--abandon', id, ...why, '--dry-run', '--json');
    expect(plan.parse(JSON.parse(dry.stdout)).journals).toMatchObject([{ id, end: 'abandoned' }]);
    expect(readFileSync(path(), 'utf8')).toBe(whole);

    const done = await at('recover', '--abandon', id, ...why, '--json');

    expect(recovered.parse(JSON.parse(done.stdout))).toMatchObject([
      { id, name: 'a volume', end: 'abandoned', because: 'it burned down' },
    ]);
    expect(done.stderr).toContain('what the bofh on web1 started with it is not undone');
    expect(readdirSync(join(stateDir, 'reservations'))).toEqual(['history']);
    expect(await at('journal', 'list', '--json')).toMatchObject({ stdout: '[]\n' });
  });

  it('--abandon is refused while a program of it runs, which is named; in a dry run too', async () => {
    lay();

    await during(async (pid) => {
      const why = ['--because', 'it burned down'];
      for (const more of [[], ['--dry-run']]) {
        const { exitCode, stderr } = await at('recover', '--abandon', id, ...why, ...more);
        expect(exitCode).toBe(4);
        expect(stderr).toContain(`a program of sequence ${id} still runs on this host`);
      }
      const { stdout } = await at('journal', 'show', id, '--json');
      expect(journalReserved.parse(JSON.parse(stdout)).programs).toMatchObject([{ pid }]);
    });

    expect(readFileSync(path(), 'utf8')).toBe(whole);
  });

  it('--abandon removes an unreadable one', async () => {
    lay('bofh reservation 1\n');

    const { exitCode } = await at('recover', '--abandon', id, '--because', 'torn');

    expect(exitCode).toBe(0);
    expect(readdirSync(join(stateDir, 'reservations'))).toEqual(['history']);
  });
});
