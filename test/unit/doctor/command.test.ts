import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { doctor } from '../../../src/cli/output/answers/index.ts';
import { bofh } from '../cli/support/built.ts';
import { bare, begin, layJournal } from '../cli/support/journals.ts';

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-doctor-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const at = (stateDir: string, start = {}) =>
  bofh(['doctor', '--json', '--state-dir', stateDir], start).then(({ exitCode, stdout, stderr }) => ({
    exitCode,
    stderr,
    found: doctor.parse(JSON.parse(stdout)),
  }));

// Of this machine itself: what it lacks differs, so only what the test has laid is asked about.
describe('bofh doctor as a command', () => {
  it('answers on any Linux, by the documented type, and makes no state directory', async () => {
    const { found, stderr } = await at(join(work, 'none'));

    expect(stderr).toBe('');
    expect(found.filter(({ check }) => check === 'journal')).toMatchObject([
      { level: 'ok', says: 'nothing is unfinished; 0 sequences have ended' },
    ]);
    expect(found.filter(({ check }) => check === 'programs').length).toBeGreaterThan(5);
    expect(readdirSync(work)).toEqual([]);
  });

  it('exits 6 for an interrupted sequence, and names a step in an unknown state', async () => {
    layJournal(work, 'aa11', [begin('aa11', 'by hand'), bare(1)]);

    const { exitCode, found } = await at(work);

    expect(exitCode).toBe(6);
    expect(found).toContainEqual({
      check: 'journal',
      level: 'problem',
      says: 'the sequence aa11 "by hand" was interrupted and is not undone',
      run: ['bofh journal show aa11', 'bofh recover aa11'],
    });
    expect(found.find(({ check }) => check === 'leftover')).toMatchObject({
      level: 'warning',
      says: 'unknown whether step 1 bare of the sequence aa11 "by hand" left anything',
    });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'works without root where possible, and says what needs root',
    async () => {
      const stateDir = join(work, 'state');
      mkdirSync(stateDir);
      layJournal(stateDir, 'aa11', [begin('aa11', 'by hand'), bare(1)]);
      for (const open of [work, stateDir]) chmodSync(open, 0o755);

      const { found, stderr } = await at(stateDir, { uid: 65_534 });

      expect(stderr).toBe('');
      expect(found.filter(({ check }) => check === 'journal' || check === 'leftover')).toEqual([
        { check: 'journal', level: 'warning', says: 'needs root for the journals', run: [] },
        {
          ...{ check: 'leftover', level: 'warning', run: [] },
          says: 'leftovers of sequences are unknown without their journals',
        },
      ]);
      expect(found.some(({ check, says }) => check === 'programs' && /^tar \d/.test(says))).toBe(true);
    },
  );
});
