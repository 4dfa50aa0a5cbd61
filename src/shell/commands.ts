import * as z from 'zod/mini';
import { type Command, nothing, outputLines, type ReadCommand } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';

/** Text for `/bin/sh -e`, or a program with its arguments, run without a shell. */
export const script = z.union(
  [
    z.string().check(z.regex(/^[^\0]*[^\0\s][^\0]*$/, 'must be a command')),
    z.array(z.string().check(z.regex(/^[^\0]*$/, 'must have no NUL'))).check(z.minLength(1)),
  ],
  'must be a text for /bin/sh, or a program with its arguments',
);

export type Script = z.infer<typeof script>;

/** The name of a script: its messages begin with this name. */
export const scriptName = z
  .string()
  .check(z.regex(/^[A-Za-z0-9][\w.@-]{0,99}$/, 'must be letters, digits, and . _ @ -'));

/**
 * Runs the probe of a script. Exit code 0: the script has nothing to do; 1: it has; any other code
 * is an error. The shell prints the code, so that a code of the shell itself, or of ssh, cannot be
 * taken for that of the probe.
 */
export function probe(name: string, isDone: Script): ReadCommand<boolean> {
  const wrap = (text: string): string => `(set -e\n${text}\n) > /dev/null\necho "exit $?"`;
  const [, ...argv] = argvOf(`probe of ${name}`, isDone, wrap);
  return {
    ...{ tool: 'sh', argv, access: 'read' },
    parse: ({ stdout, stderr }) => {
      const { code } = /^exit (?<code>\d+)\n$/.exec(stdout)?.groups ?? {};
      if (code === '126' || code === '127') throw missing(name, stderr);
      if (code !== '0' && code !== '1')
        throw new ParseError(
          `isDone of the script ${name} must exit with 0 or 1, not ${code ?? 'without a code'}${tail(stderr)}`,
        );
      return code === '0';
    },
  };
}

/** Runs a script. A signal, recovery or the time limit may kill it half-way. */
export function runScript(name: string, what: Script, seconds: number): Command<void, 'change'> {
  return {
    ...undoScript(name, what),
    ...{ argv: argvOf(name, what), title: `the script ${name}`, timeoutMs: seconds * 1000 },
    says: (output) => outputLines(output).at(-1),
  };
}

/** Runs the undo of a script, without a time limit. */
export function undoScript(name: string, what: Script): Command<void, 'change'> {
  const argv = argvOf(`undo of ${name}`, what);
  const title = `the undo of the script ${name}`;
  return { ...{ tool: 'sh', argv, access: 'change', parse: nothing }, title, stop: 'safe' };
}

function argvOf(name: string, what: Script, wrap = (text: string): string => text): readonly string[] {
  return typeof what === 'string'
    ? ['-e', '-c', wrap(what), name]
    : ['-e', '-c', wrap('exec "$@"'), name, ...what];
}

function missing(name: string, stderr: string): RefusedError {
  return new RefusedError(`isDone of the script ${name} cannot start its program${tail(stderr)}`, {
    code: 'not-found',
    remedy: 'install that program, or correct isDone',
  });
}

function tail(stderr: string): string {
  const said = stderr.trim().split('\n').at(-1) ?? '';
  return said === '' ? '' : `: ${said}`;
}
