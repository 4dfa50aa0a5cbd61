import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { journalPrune, plan } from '../../../src/cli/output/answers/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { bofh, type Ended } from './support/built.ts';
import { containing } from './support/containing.ts';
import { bare, begin, layJournal } from './support/journals.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let stateDir = '';
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'bofh-prune-'));
  layJournal(stateDir, 'aa11', [begin('aa11', 'open'), bare(1)]);
  for (const [id, days] of [
    ['bb22', 500],
    ['cc33', 20],
    ['dd44', 10],
  ] as const)
    lay(id, days);
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

/** A closed journal, so many days old. */
function lay(id: string, days: number): void {
  const closed = { t: 'closed', outcome: 'committed' } as const;
  const path = layJournal(stateDir, id, [begin(id, 'x'), { t: 'committed' }, closed], 'history');
  const at = Date.now() / 1000 - days * 86_400;
  utimesSync(path, at, at);
}

const prune = (...args: readonly string[]): Promise<Ended> =>
  bofh(['journal', 'prune', '--state-dir', stateDir, '--json', ...args]);
const left = () => readdirSync(join(stateDir, 'journal', 'history')).map((name) => name.slice(0, 4));
const ids = ({ stdout }: Ended) => journalPrune.parse(JSON.parse(stdout)).map(({ id }) => id);

describe.skipIf(process.getuid?.() !== 0)('bofh journal prune', () => {
  it('is refused for another user, as bofh journal list', async () => {
    const { exitCode, stderr } = await bofh(['journal', 'prune', '--state-dir', stateDir], { uid: 65_534 });

    expect(exitCode).toBe(1);
    expect(stderr).toContain('only root may read the journals');
    expect(stderr).toContain('next: run it as root');
  });

  it('keeps the newest hundred, and removes others that are older than 400 days', async () => {
    expect(ids(await prune())).toEqual([]);
    for (let n = 0; n < 98; n += 1) lay(`ee${String(n)}`, 5);

    const ended = await prune();

    expect(ended.exitCode).toBe(0);
    expect(ids(ended)).toEqual(['bb22']);
    expect(left()).toHaveLength(100);
    expect(readdirSync(join(stateDir, 'journal'))).toContain('aa11.journal');
  });

  it('keeps a small history when the clock has jumped years ahead', async () => {
    for (const id of ['cc33', 'dd44']) lay(id, 2000);

    expect(ids(await prune('--yes'))).toEqual([]);
    expect(left()).toHaveLength(3);
  });

  it('removes by age and by number with its options', async () => {
    expect(ids(await prune('--yes', '--keep', '15d'))).toEqual(['bb22', 'cc33']);
    expect(ids(await prune('--yes', '--keep-count', '0'))).toEqual(['dd44']);
    expect(ids(await prune('--yes', '--keep-count', '0'))).toEqual([]);
  });

  it('removes of the newest hundred only the confirmed ones', async () => {
    const { exitCode, stderr } = await prune('--keep', '15d');

    expect(exitCode).toBe(1);
    expect(stderr).toContain('there is no terminal');
    expect(left()).toHaveLength(3);
  });

  it('with --dry-run only shows a plan', async () => {
    const { exitCode, stdout } = await prune('--dry-run', '--keep', '1d');
    const text = await bofh(['journal', 'prune', '--state-dir', stateDir, '--dry-run', '--keep', '1d']);

    const { verb, journals } = plan.parse(JSON.parse(stdout));
    expect([exitCode, verb]).toEqual([0, 'journal prune']);
    expect(journals.map(({ id, end }) => `${id} ${end}`)).toEqual([
      'bb22 removed',
      'cc33 removed',
      'dd44 removed',
    ]);
    expect(text.stdout).toMatch(/^dry run: these closed journals would be removed:\n {2}bb22 {2}20/);
    expect(left()).toEqual(['bb22', 'cc33', 'dd44']);
  });

  it.each([
    ['--keep', '400', '--keep 400: must be an age in days'],
    ['--keep', '-1d', '--keep -1d: must be an age in days'],
    ['--keep-count', 'many', '--keep-count many: must be a whole number'],
  ])('refuses %s %s', async (option, value, says) => {
    expect(await prune(`${option}=${value}`)).toMatchObject({ exitCode: 2, stderr: containing(says) });
    expect(left()).toHaveLength(3);
  });
});

describe('bofh journal prune on a terminal', () => {
  /** A host with one sequence in its history. */
  const used = async (): Promise<SimulatedHost> => {
    const host = simulatedHost();
    await withBofh(simulatedBofh({ host }), () =>
      atomic('x', (tx) => tx.file.create({ path: '/root/x', content: 'x', mode: 0o600 })),
    );
    return host;
  };
  const history = (host: SimulatedHost): number =>
    simulatedBofh({ host })
      .engine.store.names('history')
      .filter((name) => name.endsWith('.journal')).length;

  it('asks before it removes the newest, with their names, and accepts a no', async () => {
    const host = await used();
    const { runtime, stderr } = testRuntime(simulatedBofh({ host }), {}, ['n']);

    await expect(runVerb(runtime, 'journal prune --keep-count 0')).rejects.toThrow('was not confirmed');

    expect(stderr()).toMatch(/will be removed, among them 1 of the newest 100:\n {2}[0-9a-f]{12} {2}/);
    expect(history(host)).toBe(1);
  });

  it('writes a line to the system log if it has removed some', async () => {
    const host = await used();
    const lines: string[] = [];
    host.faults.watch(({ tool, stdin }) => {
      if (tool === 'logger') lines.push(stdin?.trimEnd() ?? '');
    });

    expect(await runVerb(testRuntime(simulatedBofh({ host })).runtime, 'journal prune')).toBe(0);
    expect([history(host), lines]).toEqual([1, []]);
    const { runtime } = testRuntime(simulatedBofh({ host }), {}, ['y']);
    expect(await runVerb(runtime, 'journal prune --keep-count 0')).toBe(0);

    expect(history(host)).toBe(0);
    expect(lines).toEqual([expect.stringMatching(/: 1 removed$/)]);
  });
});
