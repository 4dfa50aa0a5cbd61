import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../../src/cli/runtime/program.ts';
import { candidates } from '../../../src/cli/verbs/completion/candidates.ts';
import { builtCommand, run } from './support/built.ts';

const following = (words: readonly string[]) =>
  candidates(words, (typed) => program(typed, () => Promise.resolve()));

describe('the completion', () => {
  it.each<[string, readonly string[] | 'files']>([
    ['vm sto', ['stop']],
    ['vm st', ['start', 'stop']],
    ['lvm snapshot ', ['create', 'merge']],
    ['--json vm paus', ['pause']],
    ['--host web2 vm paus', ['pause']],
    ['vm create --thi', ['--thin']],
    ['vm stop web1 --forc', ['--force', '--force-off']],
    ['vm stop --js', ['--json']],
    ['vm create --type ', ['pv', 'pvh', 'hvm']],
    ['block image create x 8m --type ex', ['ext2', 'ext3', 'ext4']],
    ['vm create --type = ', ['pv', 'pvh', 'hvm']],
    ['vm create --type =', ['pv', 'pvh', 'hvm']],
    ['vm create --type = pv', ['pv', 'pvh']],
    ['block image create x 8m --type = ext4 --lab', ['--label']],
    ['btrfs set-mode /srv ', ['ro', 'rw']],
    ['block partition grow /dev/sda 1 ', ['max']],
    ['vm create --size ', []],
    ['mount add ', 'files'],
    ['block resize /dev/', 'files'],
    ['--site ', 'files'],
    ['run ', 'files'],
    ['vm stop web1 ', []],
    ['nonsense x', []],
  ])('"%s"', async (words, expected) => {
    const found = await following(words.split(' '));

    expect(found === 'files' ? found : found.map(([word]) => word)).toEqual(expected);
  });

  it('has a description for each noun and verb', async () => {
    for (const words of [[''], ['lvm', ''], ['vm', '']]) {
      const found = await following(words);
      expect(found.length).toBeGreaterThan(4);
      for (const [, description] of found) expect(description).not.toBe('');
    }
  });
});

describe('the script of bash', () => {
  let work = '';
  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'bofh-completion-'));
    symlinkSync(await builtCommand(), join(work, 'bofh'));
    mkdirSync(join(work, 'state/journal'), { recursive: true });
    for (const id of ['0123456789ab', '0ff000000000'])
      writeFileSync(join(work, `state/journal/${id}.journal`), '');
    mkdirSync(join(work, 'state/journal/history'));
    writeFileSync(join(work, 'state/journal/history/0aaaaaaaaaaa.journal'), '');
    mkdirSync(join(work, 'other/journal'), { recursive: true });
    writeFileSync(join(work, 'other/journal/0bbbbbbbbbbb.journal'), '');
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it.each([
    ['bofh vm sto', 'stop'],
    ['bofh journal show 01', '0123456789ab'],
    ['bofh recover 0', '0123456789ab 0ff000000000'],
    ['bofh undo 0a', '0aaaaaaaaaaa'],
    ['bofh --state-dir WORK/other recover 0', '0bbbbbbbbbbb'],
    ['bofh recover --state-dir=WORK/other 0', '0bbbbbbbbbbb'],
    ['bofh vm create --type ', 'pv pvh hvm'],
  ])('completes "%s" with %s', async (line, expected) => {
    const words = line
      .replace('WORK', work)
      .split(' ')
      .map((word) => `'${word}'`);
    const script = `
      source <(bofh completion bash)
      COMP_WORDS=(${words.join(' ')}) COMP_CWORD=${String(words.length - 1)}
      _bofh
      echo "\${COMPREPLY[*]}"`;
    const ended = await run('bash', ['-c', script], {
      env: { HOME: work, PATH: `${work}:${process.env.PATH ?? ''}`, BOFH_STATE_DIR: join(work, 'state') },
    });

    expect(ended).toEqual({ exitCode: 0, stdout: `${expected}\n`, stderr: '' });
  });

  it('of another shell is a usage error', async () => {
    const ended = await run(process.execPath, [await builtCommand(), 'completion', 'tcsh']);

    expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ended.stderr).toContain('tcsh: must be bash, zsh or fish');
  });
});
