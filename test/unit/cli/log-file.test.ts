import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SequenceEvent } from '../../../src/atomic/index.ts';
import { bofh, type Ended } from './support/built.ts';

let work = '';
let log = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-log-file-'));
  log = join(work, 'bofh.log');
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

interface Line {
  readonly level: number;
  readonly time: string;
  readonly msg: string;
  readonly verb: string;
  readonly sequence?: string;
  readonly event?: SequenceEvent;
  readonly exitCode?: number;
  readonly error?: { readonly exitCode: number };
}

function lines(): readonly Line[] {
  const text = readFileSync(log, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function command(words: readonly string[], options: readonly string[] = []): Promise<Ended> {
  const site = join(work, 'site.json');
  writeFileSync(site, '{}');
  return bofh(['--state-dir', join(work, 'state'), '--site', site, '--log-file', log, ...options, ...words]);
}

function making(then: string): string {
  const path = join(work, 'x.ts');
  const made = JSON.stringify(join(work, 'made'));
  writeFileSync(
    path,
    `import { atomic } from 'bofh';
     await atomic('a file', async (tx) => {
       await tx.file.create({ path: ${made}, content: 'x' });
       ${then}
     });`,
  );
  return path;
}

describe('--log-file', () => {
  it('contains each event of a sequence and the exit code, also with --quiet', async () => {
    const { exitCode, stderr } = await command(['run', making('')], ['--quiet']);

    expect([exitCode, stderr]).toEqual([0, '']);
    const found = lines();
    const [sequence] = found.flatMap((line) => line.sequence ?? []);
    expect(sequence).toMatch(/^[0-9a-f]+/);
    expect(found.map((line) => [line.verb, line.level, line.sequence, line.event?.type ?? line.msg])).toEqual(
      [
        ['run', 30, sequence, 'started'],
        ['run', 30, sequence, 'step-started'],
        ['run', 30, sequence, 'step-done'],
        ['run', 30, sequence, 'committed'],
        ['run', 30, sequence, 'step-finished'],
        ['run', 30, sequence, 'ended'],
        ['run', 30, undefined, 'command ended'],
      ],
    );
    expect(found.at(-1)).toMatchObject({ exitCode: 0 });
    expect(found.every(({ time }) => new Date(time).toISOString() === time)).toBe(true);
    expect(statSync(log).mode & 0o777).toBe(0o600);
  });

  it('contains the failure; a second command appends to it', async () => {
    await command(['run', making("throw new Error('no\\nroom');")]);
    const first = lines();
    expect(first.map(({ event, msg }) => event?.type ?? msg)).toContain('step-undone');
    expect(first.at(-2)).toMatchObject({ level: 50, error: { exitCode: 5 } });
    expect(first.at(-1)).toMatchObject({ exitCode: 5 });

    await command(['journal', 'list']);
    expect(lines().slice(0, first.length)).toEqual(first);
    expect(lines().slice(first.length)).toMatchObject([{ verb: 'journal list', exitCode: 0 }]);
  });

  it('contains the steps before a kill, and those that bofh recover undoes', async () => {
    const { exitCode } = await command(['run', making("process.kill(process.pid, 'SIGKILL');")]);
    expect(exitCode).not.toBe(0);
    const killed = lines();
    expect(killed.at(-1)?.event?.type).toBe('step-done');

    expect((await command(['recover'], ['--yes'])).exitCode).toBe(0);
    expect(existsSync(join(work, 'made'))).toBe(false);
    const recovered = lines().slice(killed.length);
    expect(recovered.map(({ event, msg }) => event?.type ?? msg)).toEqual([
      'step-undone',
      'undo-done',
      'ended',
      'command ended',
    ]);
    expect(new Set(recovered.slice(0, 3).map(({ sequence }) => sequence))).toEqual(
      new Set([killed[0]?.sequence]),
    );
  });

  it('is not written by a dry run', async () => {
    expect((await command(['run', making('')], ['--dry-run'])).exitCode).toBe(0);
    expect(existsSync(log)).toBe(false);
  });

  it.each([
    ['a directory', () => mkdirSync(log), /the log file .*\/bofh\.log cannot be opened: EISDIR/],
    [
      'below a missing directory',
      () => (log = join(work, 'missing', 'bofh.log')),
      /the log file .* cannot be opened: ENOENT/,
    ],
    [
      'in a directory that others can write',
      () => {
        mkdirSync(join(work, 'shared'));
        chmodSync(join(work, 'shared'), 0o777);
        log = join(work, 'shared', 'bofh.log');
      },
      /bofh\.log is refused, because another user could replace it: .* can be written by others \(mode 777\)/,
    ],
    ['no regular file', () => (log = '/dev/null'), /\/dev\/null is not a regular file/],
  ])('%s is refused before anything happens', async (_what, prepare, says) => {
    prepare();
    const { exitCode, stderr } = await command(['run', making('')]);

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(says);
    expect(stderr).toContain('host: unchanged');
    expect(existsSync(join(work, 'made'))).toBe(false);
  });
});
