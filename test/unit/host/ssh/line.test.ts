import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shellWord } from '../../../support/words.ts';
import { posixWords } from '../../../../src/command/index.ts';
import { UsageError } from '../../../../src/core/errors.ts';
import { remoteLine } from '../../../../src/host/ssh/session.ts';

/** The words as a program gets them. */
function arrived(line: string): readonly string[] {
  return execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

describe('words quoted for a shell', () => {
  test('arrive unchanged through /bin/sh', () => {
    fc.assert(
      fc.property(fc.array(shellWord, { maxLength: 8 }), (words) => {
        expect(arrived(posixWords(['printf', '%s\\0', '', ...words]))).toEqual(['', ...words]);
      }),
      { numRuns: 300 },
    );
  });

  test('arrive unchanged through the whole command line for another host', () => {
    fc.assert(
      fc.property(fc.array(shellWord, { maxLength: 8 }), (words) => {
        const line = remoteLine(
          'mark',
          { script: 'printf "%s\\0" "$@"', words: ['', ...words], timeoutMs: 5000 },
          'login',
        );
        const [first, ...rest] = arrived(`(${line}) 2>/dev/null`);
        expect([first?.replace(/^mark\n/, ''), ...rest]).toEqual(['', ...words]);
      }),
      { numRuns: 50 },
    );
  });

  test('cannot have a NUL byte', () => {
    const errand = { script: 'exit', words: ['a\0b'], timeoutMs: 5000 };

    expect(() => remoteLine('mark', errand, 'login')).toThrow(UsageError);
  });
});

describe('a program on another host', () => {
  test('has the same environment as here', () => {
    const line = remoteLine('mark', { script: 'exec env', words: [], timeoutMs: 5000 }, 'login');
    const out = execFileSync('/bin/sh', ['-c', `(${line}) 2>/dev/null`], {
      encoding: 'utf8',
      env: { ...process.env, LC_MESSAGES: 'de_DE.UTF-8', LVM_SYSTEM_DIR: '/nowhere' },
    });

    const names = out
      .split('\n')
      .flatMap((each) => /^(?<name>\w+)=/.exec(each)?.groups?.name ?? [])
      .filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name));
    expect(names.toSorted()).toEqual(['HOME', 'LC_ALL', 'LVM_SUPPRESS_FD_WARNINGS', 'PATH']);
  });

  test('becomes root by sudo without a password, before it gets its environment', () => {
    const line = remoteLine('mark', { script: 'exit', words: [], timeoutMs: 1000 }, 'sudo');

    expect(line).toMatch(/^exec \/usr\/bin\/sudo -n -- \/usr\/bin\/env -i HOME=\/root /);
  });

  test('is ended there a little later than here, in whole seconds', () => {
    const line = remoteLine('mark', { script: 'exit', words: [], timeoutMs: 1500 }, 'login');

    expect(line).toContain(' mark 4s exit');
  });
});
