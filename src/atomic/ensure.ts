import { isDeepStrictEqual } from 'node:util';
import { type Difference, DiffersError, RefusedError, UsageError } from '../core/errors.ts';
import { namedError } from '../core/checks.ts';
import { stepName } from '../core/option.ts';
import type { ReadHost } from '../command/index.ts';
import type { Key, Operation } from './operation.ts';
import type { Steps } from './sequence/sequence.ts';

/** An existing object with the requested name. */
export interface Found<V> {
  /** A text for the administrator: `the logical volume vg0/web1`. */
  readonly what: string;
  /** Keys of the object, claimed as shared while the sequence relies on it. */
  readonly keys: readonly Key[];
  /** Each property with the requested value, if any, and the value that was found. */
  readonly compared: Readonly<Record<string, readonly [asked: unknown, found: unknown]>>;
  /** The value that the create method would return; used only if nothing differs. */
  readonly value: V | undefined;
  /** A command that shows the object. */
  readonly show: string;
}

/** A create method, and a function that finds the object that it would create. */
export interface Ensurable<A, V> {
  readonly code: Operation<A, V>;
  readonly find: (host: ReadHost, args: A) => Promise<Found<V> | undefined>;
}

/** What `ensure` returns. */
export interface Ensured<V> {
  readonly value: V;
  /** False: the object existed, exactly as asked. */
  readonly changed: boolean;
}

/** The arguments of a create method, without `overwrite`: `ensure` never changes existing content. */
export type EnsureArgs<A> = Omit<A, 'overwrite'>;

/**
 * Pairs a create method with the function that finds an existing object. `find` returns undefined
 * only if nothing has that name, and throws if it cannot know.
 */
export function ensurable<A, V extends F, F>(
  code: Operation<A, V>,
  find: Ensurable<A, F>['find'],
): Ensurable<A, F> {
  return { code, find };
}

/** The error for an option whose value on an existing object cannot be read. */
export function incomparable(option: string, why: string): UsageError {
  return new UsageError(`ensure cannot compare ${option}: ${why}`, {
    remedy: `leave ${option} out, or create the object without ensure`,
  });
}

/** Attempts, because several processes may create and remove the object at the same time. */
const tries = 5;

/** Creates the object unless it exists exactly as asked. */
export function ensure<A, V>(
  steps: Steps,
  host: ReadHost,
  { code, find }: Ensurable<A, V>,
  input: A,
): Promise<Ensured<V>> {
  return steps.scope(`ensure ${code.kind}`, async (tx) => {
    const args = code.parseArgs(input) as A & object;
    if (Object.hasOwn(args, 'overwrite'))
      throw incomparable('overwrite', 'it never changes existing content');
    const look = async (): ReturnType<typeof find> => {
      try {
        return await find(host, args);
      } catch (error) {
        throw namedError(stepName(code.kind), args, error);
      }
    };
    for (let attempt = 1; ; attempt += 1) {
      const seen = await look();
      if (seen !== undefined) {
        const existing = await claimed(tx, seen, look, host.name);
        if (existing !== undefined) return { value: existing, changed: false };
      }
      try {
        const value = await tx.scope(code.kind, (own) => own.step(code, args));
        return { value, changed: true };
      } catch (error) {
        // Another process may have created it meanwhile.
        if (!(error instanceof RefusedError) || attempt === tries) throw error;
        if ((await look()) === undefined) throw error;
      }
    }
  });
}

/**
 * Claims an object and compares it again. Returns its value, or undefined if it is gone. Throws DiffersError if it
 * differs, and JournalError if another sequence has the object. `on`: the name of its host, for the error.
 */
export async function claimed<V>(
  tx: Pick<Steps, 'reserve'>,
  seen: Found<V>,
  find: () => Promise<Found<V> | undefined>,
  on = '',
): Promise<V | undefined> {
  await tx.reserve({ needs: seen.keys });
  const found = await find();
  if (found === undefined) return undefined;
  const { what, compared, value, show } = found;
  const differences = Object.entries(compared).flatMap(([property, [asked, there]]): Difference[] =>
    asked === undefined || isDeepStrictEqual(asked, there) ? [] : [{ property, asked, found: there ?? null }],
  );
  const where = on === '' ? '' : ` on ${on}`;
  if (differences.length > 0) throw new DiffersError(`${what}${where}`, { differences, show });
  if (value === undefined) throw new TypeError(`${what} differs in nothing, and has no value`);
  return value;
}
