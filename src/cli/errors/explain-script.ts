import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Explanation } from './explanation.ts';
import { messageOf, oneLine, printable, stackTextOf, textOf } from '../output/text.ts';

export const asTheScriptLeftIt =
  'as the script left it; whatever it began in atomic() is committed or undone';
export const scriptNext = 'bofh journal list shows whether anything is unfinished';

/** What the user's own code threw. */
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
 * Where in the user's own files it happened: the innermost error tells it best. Without the columns, which are those of
 * what the transpiler made of a line.
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

/** All of `src/cli/`, or of `dist/`, where all code is in one folder. */
const ours = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../' : './', import.meta.url));

/** A script has the files of its directory, and of those below; one in the root directory has not the whole host. */
function isOwn(path: string, script: string): boolean {
  const folder = posix.dirname(script);
  const isNear = folder === '/' ? posix.dirname(path) === '/' : path.startsWith(`${folder}/`);
  return isNear && !path.startsWith(ours) && !path.includes('/node_modules/');
}

/** An error, what caused it, and so on; a script may have made a ring of them. */
function chainOf(error: unknown): readonly Error[] {
  const chain = new Set<Error>();
  for (let each = error; each instanceof Error && !chain.has(each); each = each.cause) chain.add(each);
  return [...chain];
}
