import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Explanation } from './explanation.ts';
import { messageOf, oneLine, printable, stackTextOf, textOf } from '../output/text.ts';

export const asTheScriptLeftIt =
  'as the script left it; whatever it began in atomic() is committed or undone';
export const scriptNext = 'see whether anything is unfinished: bofh journal list';

/** Explains an error thrown by the user's script. */
export function scriptFailed(error: unknown, script: string): Explanation {
  const text =
    error instanceof Error ? `${textOf(error.name)}: ${messageOf(error)}` : `it threw ${textOf(error)}`;
  return {
    class: error instanceof Error ? textOf(error.name) : 'Error',
    failed: oneLine(`the script ${script} failed: ${text}`),
    host: asTheScriptLeftIt,
    next: scriptNext,
    details: [],
    exitCode: 1,
  };
}

/**
 * Returns the places of an error in the user's files, the innermost error first. Without columns, which are
 * those of the transpiled code.
 */
export function scriptLines(error: unknown, script: string): readonly string[] {
  const found = chainOf(error).map((each) =>
    stackTextOf(each)
      .split('\n')
      .flatMap((line) => {
        const { head, path = '', number, tail } = frame.exec(line)?.groups ?? {};
        return head === undefined || !isOwn(path, script)
          ? []
          : [printable(`${head}${path}:${number ?? ''}${tail ?? ''}`)];
      }),
  );
  return found.findLast((lines) => lines.length > 0) ?? [];
}

const frame =
  /^\s*(?<head>at (?:.*\()?(?:async )?)(?:file:\/\/)?(?<path>\/.*):(?<number>\d+):\d+(?<tail>\)?)$/;

/** The directory of bofh's code: `src/cli/`, or `dist/`, where all code is in one directory. */
const ownCode = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../' : './', import.meta.url));

/**
 * Whether a file belongs to the script: it is in or below the directory of the script, if that is not the
 * root directory.
 */
function isOwn(path: string, script: string): boolean {
  const folder = posix.dirname(script);
  const isNear = folder === '/' ? posix.dirname(path) === '/' : path.startsWith(`${folder}/`);
  return isNear && !path.startsWith(ownCode) && !path.includes('/node_modules/');
}

/** Returns an error and its causes. The causes may be a cycle, made by a script. */
function chainOf(error: unknown): readonly Error[] {
  const chain = new Set<Error>();
  for (let each = error; each instanceof Error && !chain.has(each); each = each.cause) chain.add(each);
  return [...chain];
}
