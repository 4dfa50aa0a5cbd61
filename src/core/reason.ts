import * as z from 'zod/mini';

/** The reason why something could not be read, in one line; of several issues of a schema the first. */
export function reasonIn(cause: unknown): string {
  if (!(cause instanceof z.core.$ZodError)) return cause instanceof Error ? cause.message : String(cause);
  const [first, ...more] = cause.issues;
  if (first === undefined) return cause.message;
  const others = more.length === 0 ? '' : `, and ${String(more.length)} more`;
  return `${z.core.toDotPath(first.path)}: ${first.message}${others}`;
}
