import type { Explanation } from './explanation.ts';
import { messageOf, oneLine, printable, stackTextOf, textOf } from './text.ts';

/** What the user's own code threw. */
export function scriptFailed(error: unknown, script: string): Explanation {
  const text =
    error instanceof Error ? `${textOf(error.name)}: ${messageOf(error)}` : `it threw ${textOf(error)}`;
  return {
    class: error instanceof Error ? textOf(error.name) : 'Error',
    failed: oneLine(`the script ${script} failed: ${text}`),
    host: 'as the script left it; whatever it began in atomic() is committed or undone',
    next: 'bofh journal list shows whether anything is unfinished',
    details: [],
    exitCode: 1,
  };
}

/** Where in the user's own files it happened: the innermost error tells it best. */
export function scriptLines(error: unknown, script: string): readonly string[] {
  const folder = script.slice(0, script.lastIndexOf('/') + 1);
  const found = chainOf(error).map((each) =>
    stackTextOf(each)
      .split('\n')
      .filter(
        (line) => line.trim().startsWith('at ') && line.includes(folder) && !line.includes('/node_modules/'),
      )
      .map((line) => printable(line.trim())),
  );
  return found.findLast((lines) => lines.length > 0) ?? [];
}

/** An error, what caused it, and so on; a script may have made a ring of them. */
function chainOf(error: unknown): readonly Error[] {
  const chain = new Set<Error>();
  for (let each = error; each instanceof Error && !chain.has(each); each = each.cause) chain.add(each);
  return [...chain];
}
