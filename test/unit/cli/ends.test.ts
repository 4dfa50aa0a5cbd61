import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failure, journalList } from '../../../src/cli/output/answers/index.ts';
import { bofh, builtCommand, run as runProgram, type Ended } from './support/built.ts';

const root = process.getuid?.() === 0;

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-ends-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const made = (name: string): string => join(work, name);

function write(name: string, text: string): string {
  writeFileSync(made(name), text);
  return made(name);
}

/** As a script begins: a function that makes a sequence of one file, and one whose undo fails. */
const head = (): string => `
  import { atomic, UsageError } from 'bofh';
  const file = (name: string, then: () => unknown = () => undefined) => atomic(name, async (tx) => {
    await tx.file.create({ path: ${JSON.stringify(work)} + '/' + name, content: 'x', mode: 0o644 });
    await then();
  });
  const fail = () => { throw new Error('on purpose'); };
  const stuck = (then: () => unknown = fail) => atomic('half', async (tx) => {
    await tx.effect('gate', () => undefined, () => { throw new Error('no way back'); });
    await then();
  });
  const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
`;

const options = (): readonly string[] => ['--state-dir', made('state'), '--site', write('site.json', '{}')];

function script(body: string, ...words: readonly string[]): Promise<Ended> {
  return bofh(['run', ...options(), ...words, write('a.ts', head() + body)]);
}

async function journals(): Promise<ReturnType<typeof journalList.parse>> {
  const { stdout } = await bofh(['journal', 'list', '--json', '--state-dir', made('state')]);
  return journalList.parse(JSON.parse(stdout));
}

async function idOf(name: string): Promise<string> {
  return (await journals()).find((each) => each.name === name)?.id ?? 'none of this name';
}

describe.skipIf(!root)('a script with several sequences', () => {
  it('whose last one fails: the error lists the committed and the undone ones: exit 5', async () => {
    const { exitCode, stderr } = await script(`await file('one'); await file('two', fail);`);

    const [one, two] = [await idOf('one'), await idOf('two')];
    expect(exitCode).toBe(5);
    expect(stderr).toContain(
      `host: changed: "one" (${one}) is committed and stays; "two" (${two}) is undone\n`,
    );
    expect(stderr).not.toMatch(/restored|unchanged|untouched/);
    expect([existsSync(made('one')), existsSync(made('two'))]).toEqual([true, false]);
  });

  it('that is refused something later does not report the host as unchanged', async () => {
    const { exitCode, stdout } = await script(`await file('one'); throw new UsageError('wrong');`, '--json');

    const { host } = failure.parse(JSON.parse(stdout)).error;
    expect(exitCode).toBe(1);
    expect(host).toBe(`changed: "one" (${await idOf('one')}) is committed and stays`);
  });

  it('that catches a StuckError and continues: exit 3 with the leftovers', async () => {
    const { exitCode, stderr } = await script(`await stuck().catch(() => 0); await file('one');`);

    const half = await idOf('half');
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`"half" (${half}) could not be finished or rolled back`);
    expect(stderr).toContain('left: step 1 gate');
    expect(stderr).toContain('no way back');
    expect(stderr).toContain(`"one" (${await idOf('one')}) is committed and stays`);
    expect(stderr).toContain(`next: bofh journal show ${half}; bofh recover`);
  });

  it('that catches a StuckError and fails later: exit 3 too, with its own error', async () => {
    const { exitCode, stderr } = await script(`await stuck().catch(() => 0); await file('one', fail);`);

    expect(exitCode).toBe(3);
    expect(stderr).toContain('"one" failed and was rolled back: on purpose');
    expect(stderr).toContain(`unfinished: "half" (${await idOf('half')})`);
  });

  it('that ends its process after a StuckError: exit 3', async () => {
    const { exitCode, stderr } = await script(`await stuck().catch(() => 0); process.exit(0);`);

    expect(exitCode).toBe(3);
    expect(stderr).toContain('"half"');
  });

  it('with a StuckError after an unhandled rejection: exit 3, and both are reported', async () => {
    const { exitCode, stderr } = await script(
      `await stuck(() => {
         void Promise.reject(new Error('elsewhere'));
         return later(200);
       });`,
    );

    expect(stderr).toContain('elsewhere');
    expect(stderr).toContain(`bofh journal show ${await idOf('half')}`);
    expect(exitCode).toBe(3);
  });
});

describe.skipIf(!root)('an answer that cannot be written', () => {
  const into = async (where: string, ...args: readonly string[]): Promise<Ended> =>
    await runProgram('/bin/bash', [
      '--norc',
      '-c',
      `"$@" ${where}; echo "exit \${PIPESTATUS[0]}" >&2`,
      'bash',
      process.execPath,
      await builtCommand(),
      ...args,
    ]);
  const saying = (): string => write('b.ts', `${head()} await file('one'); console.log('x'.repeat(10));`);

  it('after a change reports that the change was made: exit 74', async () => {
    const { stderr } = await into('> /dev/full', 'run', ...options(), saying());

    expect(stderr).toContain('the change was made; only its answer could not be written: ');
    expect(stderr).toContain(`committed: "one" (${await idOf('one')})`);
    expect(stderr).toContain('exit 74\n');
    expect(existsSync(made('one'))).toBe(true);
  });

  it('because the pipe was closed is no error: exit 0, without output', async () => {
    const { stderr } = await into('| true', 'run', ...options(), saying());

    expect(stderr).toBe('exit 0\n');
    expect(existsSync(made('one'))).toBe(true);
  });

  it('of a verb without a change claims none', async () => {
    const { stderr } = await into('> /dev/full', 'recover', '--json', ...options());

    expect(stderr).toContain('"recover" completed; only its answer could not be written');
    expect(stderr).toContain('exit 74\n');
  });

  it('of a command that only reads does not point to lines that are not there', async () => {
    mkdirSync(made('state/journal'), { recursive: true, mode: 0o700 });
    write('state/journal/aa11.journal', 'damaged\n');

    const { stderr } = await into('> /dev/full', 'journal', 'list', ...options());

    expect(stderr).toContain(
      'host: unchanged (this command only reads)\n  next: free space on the disk where the answer is written; then run the command again\n',
    );
    expect(stderr).toContain('exit 4\n');
  });

  it('of a failed command keeps its exit code', async () => {
    const { stderr } = await into('> /dev/full', 'run', '--json', ...options(), made('none.ts'));

    expect(stderr).toContain('the answer could not be written');
    expect(stderr).toContain('exit 2\n');
  });
});
