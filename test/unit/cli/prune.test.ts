import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { journalPrune } from '../../../src/cli/answers.ts';
import { bofh, type Ended } from './support/built.ts';
import { containing } from './support/containing.ts';
import { bare, begin, layJournal } from './support/journals.ts';

let stateDir = '';
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'bofh-prune-'));
  layJournal(stateDir, 'aa11', [begin('aa11', 'open'), bare(1)]);
  for (const [id, days] of [
    ['bb22', 500],
    ['cc33', 20],
    ['dd44', 10],
  ] as const) {
    const closed = { t: 'closed', outcome: 'committed' } as const;
    const path = layJournal(stateDir, id, [begin(id, 'x'), { t: 'committed' }, closed], 'history');
    const at = Date.now() / 1000 - days * 86_400;
    utimesSync(path, at, at);
  }
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const prune = (...args: readonly string[]): Promise<Ended> =>
  bofh(['journal', 'prune', '--state-dir', stateDir, '--json', ...args]);
const left = () => readdirSync(join(stateDir, 'journal', 'history')).map((name) => name.slice(0, 4));
const ids = ({ stdout }: Ended) => journalPrune.parse(JSON.parse(stdout)).map(({ id }) => id);

describe.skipIf(process.getuid?.() !== 0)('bofh journal prune', () => {
  it('removes what is older than 400 days, and no open journal', async () => {
    const ended = await prune();

    expect(ended.exitCode).toBe(0);
    expect(ids(ended)).toEqual(['bb22']);
    expect(left()).toEqual(['cc33', 'dd44']);
    expect(readdirSync(join(stateDir, 'journal'))).toContain('aa11.journal');
  });

  it('removes by age and by number as it is told', async () => {
    expect(ids(await prune('--keep', '15d'))).toEqual(['bb22', 'cc33']);
    expect(ids(await prune('--keep-count', '0'))).toEqual(['dd44']);
    expect(ids(await prune('--keep-count', '0'))).toEqual([]);
  });

  it('with --dry-run only tells', async () => {
    expect(ids(await prune('--dry-run', '--keep', '1d'))).toEqual(['bb22', 'cc33', 'dd44']);
    expect(left()).toEqual(['bb22', 'cc33', 'dd44']);
  });

  it.each([
    ['--keep', '400', 'is no age'],
    ['--keep', '-1d', 'is no age'],
    ['--keep-count', 'many', 'is no number'],
  ])('refuses %s %s', async (option, value, says) => {
    expect(await prune(`${option}=${value}`)).toMatchObject({ exitCode: 2, stderr: containing(says) });
    expect(left()).toHaveLength(3);
  });
});
