import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Line } from '../../../src/atomic/journal/lines.ts';
import { failure, journalList, journalShow, recovered } from '../../../src/cli/output/answers/index.ts';
import { bofh, type Ended, type Start } from './support/built.ts';
import { bare, begin, layJournal } from './support/journals.ts';
import { containing } from './support/containing.ts';

const root = process.getuid?.() === 0;

let work = '';
let stateDir = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-journal-'));
  stateDir = join(work, 'state');
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

function at(args: readonly string[], start?: Start): Promise<Ended> {
  return bofh([...args, '--state-dir', stateDir], start);
}

/** A sequence that made one file and was killed. */
async function killed(): Promise<{ readonly made: string; readonly id: string }> {
  const made = join(work, 'made.txt');
  const script = join(work, 'half.ts');
  writeFileSync(
    script,
    `import { atomic } from 'bofh';
     await atomic('half a thing', async (tx) => {
       await tx.file.create({ path: ${JSON.stringify(made)}, content: 'x', mode: 0o644 });
       process.kill(process.pid, 'SIGKILL');
     });`,
  );
  await bofh(['run', '--state-dir', stateDir, script]);
  const [row] = journalList.parse(JSON.parse((await at(['journal', 'list', '--json'])).stdout));
  if (row === undefined || !existsSync(made)) throw new Error('nothing was killed half-way');
  return { made, id: row.id };
}

describe('bofh journal list', () => {
  it('is empty on a new host', async () => {
    expect(await at(['journal', 'list', '--json'])).toEqual({ exitCode: 0, stdout: '[]\n', stderr: '' });
    expect((await at(['journal', 'list'])).stderr).toContain('no sequence has been run yet');
  });

  it('names those that are unfinished and those that have ended', async () => {
    layJournal(stateDir, 'aa11', [begin('aa11', 'first'), bare(1)]);
    layJournal(stateDir, 'bb22', [begin('bb22', 'second'), { t: 'closed', outcome: 'abandoned' }], 'history');

    const { exitCode, stdout } = await at(['journal', 'list', '--json']);

    expect(exitCode).toBe(0);
    expect(journalList.parse(JSON.parse(stdout))).toMatchObject([
      { id: 'bb22', name: 'second', state: 'abandoned', steps: 0 },
      { id: 'aa11', name: 'first', user: 'root', state: 'interrupted', steps: 1 },
    ]);
  });

  it('shows what a sequence did, and its duration', async () => {
    const { id } = await killed();

    const { stdout } = await at(['journal', 'list']);
    const shown = (await at(['journal', 'show', id])).stdout;

    const when = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.source;
    const took = /\d+\.\d s/.source;
    expect(stdout).toMatch(
      new RegExp(`^${id} +interrupted +${when} +${took} +\\S+ +half a thing +file\\.create /`, 'm'),
    );
    expect(shown).toMatch(new RegExp(`^changed: +${when}, ${took} after it began$`, 'm'));
  });

  it('shows of a committed sequence what it kept, and no error of a scope as its reason', async () => {
    const scoped: readonly Line[] = [
      { t: 'scope', s: 1, name: 'try' },
      { ...bare(2), scope: 1 },
      { t: 'rollback', scope: 1, because: 'no room' },
      { t: 'undone', n: 2 },
      { t: 'scope-end', s: 1 },
    ];
    const kept: readonly Line[] = [begin('aa11', 'first'), bare(1), ...scoped];
    layJournal(
      stateDir,
      'aa11',
      [...kept, { t: 'committed' }, { t: 'closed', outcome: 'committed' }],
      'history',
    );
    layJournal(stateDir, 'bb22', [...kept, { t: 'rollback', because: 'no disk' }]);

    const list = journalList.parse(JSON.parse((await at(['journal', 'list', '--json'])).stdout));
    const [committed, interrupted] = await Promise.all(
      ['aa11', 'bb22'].map(async (id) =>
        journalShow.parse(JSON.parse((await at(['journal', 'show', id, '--json'])).stdout)),
      ),
    );

    expect(list.map(({ id, steps }) => [id, steps])).toEqual([
      ['aa11', 1],
      ['bb22', 2],
    ]);
    expect(committed?.because).toBeUndefined();
    expect(interrupted?.because).toBe('no disk');
  });

  it('shows the others when one is damaged, and exits 4 with its line', async () => {
    layJournal(stateDir, 'aa11', [begin('aa11', 'first')]);
    const damaged = layJournal(stateDir, 'cc33', [begin('cc33', 'third'), bare(1)]);
    writeFileSync(damaged, readFileSync(damaged, 'utf8').replace('"bare"', '"bear"'));

    const { exitCode, stdout, stderr } = await at(['journal', 'list']);

    expect(exitCode).toBe(4);
    expect(stdout).toMatch(/aa11 +interrupted/);
    expect(stdout).toMatch(/cc33 +unreadable/);
    expect(stderr).toContain('cc33.journal, line 2');
  });

  it.skipIf(!root)('says that only root may read journals', async () => {
    layJournal(stateDir, 'aa11', [begin('aa11', 'first')]);

    const { exitCode, stderr } = await at(['journal', 'list'], { uid: 65_534 });

    expect(exitCode).toBe(1);
    expect(stderr).toContain('only root may read the journals');
  });

  it.each([['journal', 'list'], ['journal', 'prune'], ['recover']])(
    '%s %s: says how to repair a directory that others can write',
    async (...line) => {
      layJournal(stateDir, 'aa11', [begin('aa11', 'first')]);
      chmodSync(join(stateDir, 'journal'), 0o777);

      const { exitCode, stderr } = await at(line);

      expect(exitCode).toBe(4);
      expect(stderr).toMatch(/next: chown \d+ \S+; chmod 700 \S+;/);
    },
  );
});

describe('bofh journal show', () => {
  it('shows the steps, why one is blocked, and what recovery would do', async () => {
    const blocked = { t: 'blocked', n: 1, why: 'bare' } as const;
    layJournal(stateDir, 'aa11', [begin('aa11', 'first'), bare(1), blocked]);

    const data = journalShow.parse(JSON.parse((await at(['journal', 'show', 'aa11', '--json'])).stdout));
    const text = (await at(['journal', 'show', 'aa'])).stdout;

    expect(data).toMatchObject({
      id: 'aa11',
      state: 'interrupted',
      command: ['bofh', 'run', 'x.ts'],
      steps: [{ n: 1, kind: 'bare', state: 'blocked', note: containing('inverse was code') }],
      recovery: [{ do: 'blocked', n: 1 }],
    });
    expect(text).toContain('bofh recover would:\n  blocked: step 1 bare');
  });

  it('refuses an unknown id, and an ambiguous prefix', async () => {
    layJournal(stateDir, 'aa11', [begin('aa11', 'first')]);
    layJournal(stateDir, 'aa22', [begin('aa22', 'second')]);

    expect(await at(['journal', 'show', 'zz'])).toMatchObject({
      exitCode: 1,
      stderr: containing('there is no journal zz'),
    });
    expect((await at(['recover', 'zz'])).stderr).toContain('next: see all of them: bofh journal list');
    expect(await at(['journal', 'show', 'aa'])).toMatchObject({
      exitCode: 1,
      stderr: containing('several journals have an ID that begins with'),
    });
  });

  it('shows the raw lines of a damaged one: exit 4', async () => {
    const path = layJournal(stateDir, 'aa11', [begin('aa11', 'first'), bare(1)]);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"bare"', '"bear"'));

    const { exitCode, stdout, stderr } = await at(['journal', 'show', 'aa11']);

    expect(exitCode).toBe(4);
    expect(stdout).toMatch(/^ +2 {2}[0-9a-f]{8} .*"bear"/m);
    expect(stderr).toContain('line 2');
  });
});

describe('a damaged journal', () => {
  /** Its line of this number is not as it was written. */
  const spoiled = (id: string, ...lines: readonly Line[]): void => {
    const path = layJournal(stateDir, id, [begin(id, 'first'), ...lines]);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"bare"', '"bear"'));
  };
  const after = { t: 'rollback', because: 'x' } as const;

  it('whose last line is damaged is repaired by the printed command, whoever names it', async () => {
    spoiled('aa11', bare(1));
    const cut = 'bofh recover --cut-last-line aa11';

    expect((await at(['journal', 'show', 'aa11'])).stderr).toContain(`cut it off: ${cut};`);
    if (!root) return;
    expect((await at(['doctor'])).stdout).toContain(`run: ${cut}\n`);
    expect((await at(['recover', '--yes'])).stderr).toContain(`cut it off: ${cut};`);
    expect((await at([...cut.split(' ').slice(1), '--yes'])).exitCode).toBe(0);
    expect((await at(['recover', '--yes'])).exitCode).toBe(0);
  });

  it('with an earlier damaged line names the manual steps, without a circle', async () => {
    spoiled('aa11', bare(1), after);

    const { stderr } = await at(['journal', 'show', 'aa11']);

    expect(stderr).toContain('undo that by hand; then move aa11.journal out of the state directory');
    expect(stderr).not.toContain('--cut-last-line');
    if (root) expect((await at(['doctor'])).stdout).toContain('run: bofh journal show aa11\n');
  });

  it('is one JSON value in journal show --json; its lines are on stderr', async () => {
    spoiled('aa11', bare(1));

    const { exitCode, stdout, stderr } = await at(['--json', 'journal', 'show', 'aa11']);

    expect(exitCode).toBe(4);
    expect(failure.parse(JSON.parse(stdout)).error.failed).toContain('line 2');
    expect(stderr).toMatch(/^ +2 {2}[0-9a-f]{8} .*"bear"/m);
  });
});

describe.skipIf(!root)('an inconsistent journal', () => {
  const closable = (): string => layJournal(stateDir, 'bb22', [begin('bb22', 'good')]);
  const odd = (over: object): Line => ({ ...bare(1), ...over });

  it.each([
    ['claims that are none', [begin('aa11', 'odd'), odd({ claims: { makes: 5 } })]],
    ['a kind that is not known', [begin('aa11', 'odd'), odd({ kind: 'moon.landing' })]],
    [
      'an owner that is none',
      [{ ...begin('aa11', 'odd'), argv: 5, pid: {} } as unknown as Line, odd({ claims: { changes: 5 } })],
    ],
  ])('does not block the recovery of others, and is left as it is: %s', async (_what, lines) => {
    const path = layJournal(stateDir, 'aa11', lines);
    const before = readFileSync(path);
    closable();

    const planned = await at(['recover', '--dry-run']);
    const { exitCode, stdout, stderr } = await at(['recover', '--json', '--yes']);

    expect(planned.exitCode).toBe(4);
    expect(exitCode).toBe(4);
    expect(recovered.parse(JSON.parse(stdout))).toMatchObject([
      { id: 'aa11', end: 'open' },
      { id: 'bb22', end: 'rolled-back' },
    ]);
    expect(stderr).toContain('aa11');
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([
    ['no name', { name: undefined }],
    ['a number for a name', { name: 5 }],
    ['an object for a name', { name: { a: 1 } }],
  ])('except for its begin line is recovered, and shown: %s', async (_what, over) => {
    layJournal(stateDir, 'aa11', [{ ...begin('aa11', ''), ...over } as Line, bare(1)]);
    closable();

    expect((await at(['journal', 'show', 'aa11'])).exitCode).toBe(0);
    expect((await at(['journal', 'list'])).exitCode).toBe(0);
    const { exitCode, stdout } = await at(['recover', '--yes']);

    // Its step is a pair of functions, whose code is gone.
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/aa11 +stays open/);
    expect(stdout).toMatch(/bb22 +undone/);
  });
});

describe.skipIf(!root)('bofh recover', () => {
  it('reports that nothing is unfinished', async () => {
    expect(await at(['recover'])).toEqual({ exitCode: 0, stdout: '', stderr: 'nothing is unfinished\n' });
  });

  it('with --dry-run shows what it would undo, and undoes nothing', async () => {
    const { made, id } = await killed();

    const { exitCode, stdout } = await at(['recover', '--dry-run']);

    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${id} "half a thing"`);
    expect(stdout).toContain(`undo step 1 file.create (${made})`);
    expect(existsSync(made)).toBe(true);
  });

  it('undoes a killed sequence, and has nothing to do the second time', async () => {
    const { made, id } = await killed();

    const first = await at(['recover', '--json', '--yes']);
    const second = await at(['recover', '--json', '--yes']);

    expect(recovered.parse(JSON.parse(first.stdout))).toEqual([
      { id, name: 'half a thing', end: 'rolled-back', leftUntouched: [] },
    ]);
    expect(existsSync(made)).toBe(false);
    expect(second).toMatchObject({ exitCode: 0, stdout: '[]\n' });
  });

  it('exits 3 for a stuck one, names the step, and still recovers the others', async () => {
    const { made } = await killed();
    layJournal(stateDir, 'aa11', [begin('aa11', 'by hand'), bare(1)]);

    const { exitCode, stdout, stderr } = await at(['recover']);

    expect(exitCode).toBe(3);
    expect(existsSync(made)).toBe(false);
    expect(stdout).toMatch(/aa11 +stays open +by hand/);
    expect(stderr).toContain('blocked: step 1 bare');
    expect(stderr).toContain('the journal aa11 stays open');
  });

  it('leaves a damaged journal untouched: exit 4', async () => {
    const path = layJournal(stateDir, 'aa11', [begin('aa11', 'first'), bare(1)]);
    const damaged = readFileSync(path, 'utf8').replace('"bare"', '"bear"');
    writeFileSync(path, damaged);

    const { exitCode, stderr } = await at(['recover', 'aa11', '--yes']);

    expect(exitCode).toBe(4);
    expect(stderr).toContain('aa11.journal, line 2');
    expect(readFileSync(path, 'utf8')).toBe(damaged);
  });

  it('abandons one only with a reason, which is stored', async () => {
    layJournal(stateDir, 'aa11', [begin('aa11', 'by hand'), bare(1)]);

    const without = await at(['recover', '--abandon', 'aa11']);
    const given = await at(['recover', '--abandon', 'aa11', '--because', 'mended by hand']);
    const shown = journalShow.parse(JSON.parse((await at(['journal', 'show', 'aa11', '--json'])).stdout));

    expect(without.exitCode).toBe(2);
    expect(given.exitCode).toBe(0);
    expect(shown).toMatchObject({ state: 'abandoned', because: 'mended by hand' });
  });

  it('shows the last line and cuts it off only after confirmation', async () => {
    const path = layJournal(stateDir, 'aa11', [begin('aa11', 'first'), bare(1)]);
    const whole = readFileSync(path, 'utf8').replace('"bare"', '"bear"');
    writeFileSync(path, whole);

    const asked = await at(['recover', '--cut-last-line', 'aa11']);
    expect(asked).toMatchObject({ exitCode: 1, stderr: containing('--yes') });
    expect(readFileSync(path, 'utf8')).toBe(whole);

    const { exitCode, stdout } = await at(['recover', '--cut-last-line', 'aa11', '--yes']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('"bear"');
    expect(readFileSync(path, 'utf8')).toBe(`${whole.split('\n')[0] ?? ''}\n`);
  });
});
