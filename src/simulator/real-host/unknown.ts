import { ParseError } from '../../core/errors.ts';

/**
 * A plan depends on something that only the real run can know. Whether the run succeeds is unknown.
 */
export class UnknownInPlan extends ParseError {
  override readonly name = 'ParseError';
}

/**
 * Returns the cause of an error if a plan failed because something is unknown, also within an undo.
 */
export function unknownIn(error: unknown): UnknownInPlan | undefined {
  if (error instanceof UnknownInPlan) return error;
  if (!(error instanceof Error)) return undefined;
  const others: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  return [error.cause, ...others].map(unknownIn).find((each) => each !== undefined);
}
