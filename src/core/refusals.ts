import {
  BofhError,
  CommandError,
  ConnectionError,
  JournalError,
  ParseError,
  RefusedError,
  ToolError,
  UsageError,
} from './errors.ts';
import { allOf } from './all-of.ts';

/** Runs a check of one of several hosts. Its refusals and parse errors name the host. */
export async function on<T>(host: string, check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    const { holders, code } = error;
    const remedy = error.remedy === undefined ? undefined : `on ${host}: ${error.remedy}`;
    const options = { cause: error, remedy, holders, code };
    const message = `on ${host}: ${error.message}`;
    if (error instanceof UsageError) throw new UsageError(message, options);
    if (error instanceof ToolError) throw new ToolError(message, options);
    if (error instanceof ParseError) throw new ParseError(message, options);
    if (error instanceof JournalError) throw new JournalError(message, options);
    if (error instanceof RefusedError || error instanceof CommandError)
      throw new RefusedError(message, options);
    throw error;
  }
}

/** Collects all refusals of a request, so that they are reported at once. */
export function refusals() {
  const found: BofhError[] = [];
  return {
    try: trying(found),
    /** Checks all items of a list in parallel; the refusals are in the order of the list. */
    each: async <E, T>(list: readonly E[], check: (each: E, attempt: Try) => Promise<T>): Promise<T[]> => {
      const refused = list.map((): BofhError[] => []);
      const answers = await allOf(list.map((each, at) => check(each, trying(refused[at] ?? []))));
      found.push(...refused.flat());
      return answers;
    },
    throwAll: (): void => {
      const [first, ...others] = found;
      if (first === undefined) return;
      if (others.length === 0) throw first;
      const message = found.map((error) => error.message).join('; ');
      const remedies = [...new Set(found.flatMap((error) => error.remedy ?? []))].join('; ');
      const options = {
        cause: new AggregateError(found, message),
        ...(remedies === '' ? {} : { remedy: remedies }),
        code: found.every(({ code }) => code === first.code) ? first.code : undefined,
      };
      if (found.every((error) => error instanceof UsageError)) throw new UsageError(message, options);
      throw new RefusedError(message, options);
    },
  };
}

type Try = <T>(check: () => T | Promise<T>) => Promise<T | undefined>;

/**
 * The result of a check; undefined if it refused. Other errors are thrown at once: a missing program, output
 * that could not be parsed, an unreadable journal, a bug.
 */
function trying(found: BofhError[]): Try {
  return async (check) => {
    try {
      return await check();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      found.push(error);
      return undefined;
    }
  };
}

function isRefusal(error: unknown): error is BofhError {
  return [UsageError, RefusedError, CommandError, ConnectionError].some((kind) => error instanceof kind);
}
