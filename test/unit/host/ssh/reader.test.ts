import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../../../src/command/index.ts';
import { framed, loop, requestLine } from '../../../../src/host/ssh/reader.ts';
import { shellWord } from '../../../support/words.ts';

const errand = { script: 'exit', words: [] as readonly string[], timeoutMs: 5000 };

/** The loop as a shell runs it, with one errand after the other. */
function looping(shell: readonly string[]) {
  const [file = '', ...words] = shell;
  const child = spawn(file, [...words, '-c', loop, 'bofh'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const known = new Map<string, string>();
  onTestFinished(() => void child.stdin.end());
  let count = 0;
  return async (asked: Partial<Parameters<typeof requestLine>[1]>) => {
    const mark = `mark-${String((count += 1))}`;
    const [out, err] = [framed(mark), framed(mark)];
    const line = requestLine(mark, { ...errand, ...asked }, known);
    if (line === undefined) throw new TypeError('it is none for the loop');
    await new Promise<void>((resolve, reject) => {
      const both = (of: typeof out) => (chunk: Buffer) => {
        of.push(chunk);
        if (out.ended() && err.ended()) resolve();
      };
      child.stdout.removeAllListeners('data').on('data', both(out));
      child.stderr.removeAllListeners('data').on('data', both(err));
      child.removeAllListeners('exit').once('exit', () => reject(new Error(`the loop ended: ${err.text()}`)));
      child.stdin.write(line);
    });
    const [{ exitCode, bytes } = { exitCode: -1, bytes: Buffer.alloc(0) }, said] = [
      out.content(),
      err.content(),
    ];
    return { exitCode, stdout: Buffer.from(bytes), stderr: Buffer.from(said?.bytes ?? []).toString() };
  };
}

const shells = [['/bin/sh'], ['/bin/bash', '--posix'], ['/usr/bin/busybox', 'sh']].filter(([file = '']) =>
  existsSync(file),
);

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))('the loop of %s', (_, shell) => {
  test('passes arguments and input byte for byte', async () => {
    const ask = looping(shell);
    await fc.assert(
      fc.asyncProperty(fc.array(shellWord, { maxLength: 6 }), shellWord, async (words, stdin) => {
        const came = await ask({ script: 'printf "%s\\0" "$@"; exec cat', words: ['', ...words], stdin });

        expect(came.stdout.toString()).toBe(['', ...words, stdin].join('\0'));
        expect(came).toMatchObject({ exitCode: 0, stderr: '' });
      }),
      { numRuns: 60 },
    );
  });

  test('keeps the answers to its requests apart', async () => {
    const ask = looping(shell);

    expect(await ask({ script: 'echo a; echo b >&2; exit 3' })).toMatchObject({ exitCode: 3, stderr: 'b\n' });
    expect(await ask({ script: 'kill -KILL $$' })).toMatchObject({ exitCode: 137 });
    expect(await ask({ script: "printf 'no end\\0\\377'" })).toMatchObject({
      stdout: Buffer.from('no end\0\xff', 'latin1'),
    });
    expect(await ask({ script: 'cat', stdin: undefined })).toMatchObject({
      exitCode: 0,
      stdout: Buffer.alloc(0),
    });
    expect(await ask({ script: 'cat <&4' })).toMatchObject({ exitCode: 2, stdout: Buffer.alloc(0) });
    expect(await ask({ script: 'syntax (' })).toMatchObject({ exitCode: 2 });
    expect((await ask({ script: 'env' })).stdout.toString()).not.toMatch(/^(?:mark|script|input|nl)=/m);
    expect((await ask({ script: 'echo "$@"', words: ['the last'] })).stdout.toString()).toBe('the last\n');
  });

  test('starts a program without another shell, in the same environment', async () => {
    const ask = looping(shell);
    const program = (...words: readonly string[]) => ask({ plain: 'program', words });

    expect(await program('/bin/sh', '-c', 'echo a; echo b >&2; cat; exit 3')).toEqual({
      ...{ exitCode: 3, stdout: Buffer.from('a\n'), stderr: 'b\n' },
    });
    expect((await program('/usr/bin/env')).stdout.toString()).not.toMatch(
      /^(?:mark|how|limit|script|s\d+|input|nl|PWD|OLDPWD)=/m,
    );
    expect(await program('/nowhere')).toMatchObject({ exitCode: 127 });
  });

  test('reads files itself, with a script that is sent once', async () => {
    const ask = looping(shell);
    const script = 'IFS= read -r mark; exec 3>&1 </dev/null; echo "$mark $*" >&3; echo b >&2; exit 3';

    for (const word of ['one', "it's two"])
      expect(await ask({ plain: 'files', script, words: [word], stdin: `m ${word}\n` })).toEqual({
        ...{ exitCode: 3, stdout: Buffer.from(`m ${word} ${word}\n`), stderr: 'b\n' },
      });
    expect(await ask({ plain: 'files', script: 'syntax (', stdin: '' })).toMatchObject({ exitCode: 2 });
    expect(await ask({ script: 'echo on' })).toMatchObject({ exitCode: 0, stdout: Buffer.from('on\n') });
  });

  test('ends a program at its time limit', async () => {
    const ask = looping(shell);

    for (const how of [
      { script: 'exec sleep 60' },
      { plain: 'program', words: ['/bin/sleep', '60'] },
    ] as const)
      expect(await ask({ ...how, timeoutMs: -1500 })).toMatchObject({ exitCode: 137 });
    expect(await ask({ script: 'echo on' })).toMatchObject({ exitCode: 0 });
  });
});

describe('a request that the loop cannot run', () => {
  test.each([
    ['has a secret', { stdin: new Secret('key') }],
    ['has an input of bytes', { stdin: Buffer.from([0xff]) }],
    ['has no limit', { timeoutMs: 'none' }],
    ['has a NUL byte', { words: ['a\0'] }],
    ['is too long', { words: ['x'.repeat(100_000)] }],
  ] as const)('%s', (_, asked) => {
    expect(requestLine('mark', { ...errand, ...asked })).toBeUndefined();
  });
});

describe('output between two markers', () => {
  test('is complete only with its end, however it is split', () => {
    const whole = Buffer.from('noise\nm1\n a m1\n\xff\nm1 12\n', 'latin1');
    for (let at = 1; at < whole.length; at += 1) {
      const frame = framed('m1');
      frame.push(whole.subarray(0, at));
      expect(frame.ended()).toBe(false);
      expect(frame.content()).toBeUndefined();
      frame.push(whole.subarray(at));

      expect(frame.content()).toEqual({ exitCode: 12, bytes: Buffer.from(' a m1\n\xff', 'latin1') });
    }
  });
});
