import {
  BofhError,
  InterruptedError,
  JournalError,
  ParseError,
  RolledBackError,
  SequenceEnded,
  StuckError,
  ToolError,
  UsageError,
} from './errors.ts';

/**
 * Returns the exit code with which the command line ends for an error; 1 for an error that is not one of
 * bofh. docs/library.md has the table.
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return error.code === 'timeout' ? 5 : 130;
  return classes.find(([type]) => error instanceof type)?.[1] ?? 1;
}

const classes: readonly (readonly [abstract new (...args: never) => BofhError, number])[] = [
  [StuckError, 3],
  [RolledBackError, 5],
  [SequenceEnded, 5],
  [UsageError, 2],
  [JournalError, 4],
  [ToolError, 69],
  [ParseError, 70],
];
