import type { ChangeHost, ReadHost } from '../command/index.ts';
import { type ManualRecovery, JournalError } from '../core/errors.ts';
import type {
  Changed,
  Claims,
  Common,
  ContentSpec,
  DeferredSpec,
  DeviceKeys,
  Key,
  LaterSpec,
  Look,
  OperationSpec,
  Way,
} from './contract.ts';
import { check } from './schema.ts';
import { checkSpec } from './spec.ts';
import { issuesIn, namedError, withoutUndefined, wrongOptions } from '../core/checks.ts';
import { stepName } from '../core/option.ts';
import { present } from '../core/present.ts';

export type {
  Changed,
  Claims,
  DeferredSpec,
  DeviceKeys,
  Key,
  LaterSpec,
  Look,
  Mounted,
  MountsUnder,
  OperationSpec,
  Way,
} from './contract.ts';

declare const types: unique symbol;

/** An operation as the engine sees it: the spec's schemas have checked every value. */
export interface Operation<A = never, V = unknown> {
  readonly [types]?: (args: A) => V;
  readonly kind: string;
  readonly version: number;
  readonly lives: 'disk' | 'boot';
  readonly recurs: boolean;
  readonly endsAccess: boolean;
  /** The step is refused unless the same sequence made the objects that it changes. */
  readonly onlyInOwn: boolean;
  /** The code may change a host without `host`, so a failure of `run` is always followed by a look. */
  readonly actsElsewhere?: boolean;
  /** The keys of objects to which it writes no byte; true: all that it claims. */
  readonly keepsContent: (undo: unknown) => true | readonly Key[];
  readonly restores: 'state' | 'existence';
  /** No step of this kind acts before the commit: all wait for the commit. */
  readonly deferred: boolean;
  /** Whether the act of this step waits for the commit. */
  readonly defers: (undo: unknown) => boolean;
  /** Whether this step has work to do after the commit. */
  readonly after: (undo: unknown) => boolean;
  readonly parseArgs: (args: unknown) => unknown;
  readonly journalled: (args: unknown) => unknown;
  readonly prepare: (input: {
    readonly args: unknown;
    readonly mark: string;
    readonly host: ReadHost;
    /** Read only if the operation reads it. */
    readonly chosen?: unknown;
  }) => Promise<unknown>;
  readonly claims: (input: {
    readonly args: unknown;
    readonly undo: unknown;
    readonly on: (path: string) => Promise<DeviceKeys>;
  }) => Promise<Claims>;
  readonly contains: (input: { readonly args: unknown; readonly undo: unknown }) => Key | undefined;
  readonly within: (input: { readonly args: unknown; readonly undo: unknown }) => Key | undefined;
  readonly run: (input: {
    readonly args: unknown;
    readonly undo: unknown;
    readonly host: ChangeHost;
  }) => Promise<unknown>;
  readonly value: (input: {
    readonly args: unknown;
    readonly undo: unknown;
    readonly result: unknown;
  }) => unknown;
  readonly again?: (input: { readonly undo: unknown; readonly host: ReadHost }) => Promise<unknown>;
  readonly look: (input: Journalled<ReadHost>) => Promise<Look>;
  readonly revert: (input: Journalled<ChangeHost>) => Promise<void>;
  readonly starts?: 'a writer';
  /** Undefined if the undo destroys no content that others could have changed. */
  readonly content?: {
    readonly lost: 'undone' | 'finished' | 'either';
    readonly of: 'files' | 'device';
    readonly once: boolean;
    readonly witness: (input: Journalled<ReadHost>) => Promise<string | undefined>;
    readonly changed: (
      input: Journalled<ChangeHost> & {
        readonly witness?: string;
        readonly way: Way;
        readonly touched: boolean;
        readonly filled: 'now' | 'before' | 'never';
      },
    ) => Promise<Changed | undefined>;
  };
  readonly sync: (input: Journalled<ChangeHost>) => Promise<void>;
  readonly afterCommit: (input: Journalled<ChangeHost>) => Promise<void>;
  /** How the undo of a committed sequence gets back what `afterCommit` removed. */
  readonly later?: {
    readonly keeps: (undo: unknown) => boolean;
    readonly keep: (input: Journalled<ChangeHost> & { readonly to: string }) => Promise<string | undefined>;
    readonly refuse: (input: Journalled<ReadHost>) => Promise<void>;
    readonly bringBack?: (input: Journalled<ChangeHost> & { readonly from: string }) => Promise<unknown>;
  };
  /** Undefined if the kind has no description; every kind of bofh itself has one. */
  readonly describe?: (input: {
    readonly undo: unknown;
    readonly result?: unknown;
    readonly way: Way;
  }) => ManualRecovery;
}

export interface Journalled<H> {
  readonly undo: unknown;
  /** Undefined if the journal has no `done` line. */
  readonly result?: unknown;
  /** The undo of a newer step may have created the object again. */
  readonly restored?: true;
  readonly host: H;
}

/** Any operation, whatever its arguments and value. */
export type AnyOperation = Operation;

/**
 * Builds an operation from its spec. All its input is checked by the spec's schemas, also data from
 * a journal.
 */
export function operation<A, U, R, V>(spec: OperationSpec<A, U, R, V>): Operation<A, V> {
  checkSpec('operation', spec);
  const parse = parsers(spec);
  const result = (value: unknown): R =>
    check(spec.result, value, (issues) => unreadable(spec.kind, 'result', issuesIn(issues, value)));
  const known = (input: { readonly undo: unknown; readonly result?: unknown }): { undo: U; result?: R } => ({
    undo: parse.undo(input.undo),
    ...(input.result === undefined ? {} : { result: result(input.result) }),
  });
  const journalled = <H>(input: Journalled<H>) => ({
    ...known(input),
    ...(input.restored === true ? { restored: true as const } : {}),
    host: input.host,
  });
  const { again, content, defers, describe, keepsContent } = spec;
  const doesDefer = (undo: unknown): boolean => defers?.({ undo: parse.undo(undo) }) ?? false;
  const after = (undo: unknown): boolean =>
    spec.afterCommit !== undefined &&
    (defers === undefined || doesDefer(undo) || (spec.after?.({ undo: parse.undo(undo) }) ?? false));
  return {
    ...head(spec, spec.lives, spec.restores),
    recurs: spec.recurs === true,
    endsAccess: spec.endsAccess === true,
    onlyInOwn: spec.onlyInOwn === true,
    keepsContent: (undo) => {
      if (doesDefer(undo)) return true;
      return typeof keepsContent === 'function'
        ? keepsContent({ undo: parse.undo(undo) })
        : (keepsContent ?? []);
    },
    deferred: false,
    defers: doesDefer,
    after,
    contains: (input) => spec.contains?.(parse.both(input)),
    within: (input) => spec.within?.(parse.both(input)),
    run: async (input) => json((await spec.run({ ...parse.both(input), host: input.host })) ?? null),
    value: (input) => spec.value({ ...parse.both(input), result: result(input.result) }),
    look: (input) => spec.look(journalled(input)),
    revert: (input) => spec.revert(journalled(input)),
    ...(again === undefined
      ? {}
      : {
          again: async ({ undo, host }) => {
            const now = await again({ undo: parse.undo(undo), host });
            return now === undefined ? undefined : json(now);
          },
        }),
    ...present({ starts: spec.starts }),
    ...contentOf(content, journalled),
    ...laterOf(spec.later, parse.undo, journalled),
    sync: async (input) => spec.sync?.(journalled(input)),
    afterCommit: async (input) => spec.afterCommit?.(journalled(input)),
    ...(describe === undefined ? {} : { describe: (input) => describe({ ...known(input), way: input.way }) }),
  };
}

/** Builds a deferred act from its spec. Its undo only writes a line to the journal. */
export function deferred<A, U>(spec: DeferredSpec<A, U>): Operation<A, void> {
  checkSpec('deferred', spec);
  const parse = parsers(spec);
  const undoOf = <H>(input: Journalled<H>): { undo: U; host: H } => ({
    undo: parse.undo(input.undo),
    host: input.host,
  });
  const { describe } = spec;
  return {
    ...head(spec, 'disk', 'state'),
    recurs: false,
    endsAccess: false,
    onlyInOwn: false,
    keepsContent: () => true,
    deferred: true,
    defers: () => true,
    after: () => true,
    contains: () => undefined,
    within: () => undefined,
    run: () => Promise.resolve(null),
    value: () => undefined,
    look: (input) => spec.look(undoOf(input)),
    revert: () => Promise.resolve(),
    ...contentOf(spec.content, undoOf),
    sync: async (input) => spec.sync?.(undoOf(input)),
    afterCommit: (input) => spec.afterCommit(undoOf(input)),
    ...(describe === undefined
      ? {}
      : { describe: (input) => describe({ undo: parse.undo(input.undo), way: input.way }) }),
  };
}

function contentOf<U, R>(
  content: ContentSpec<U, R> | undefined,
  read: <H>(input: Journalled<H>) => { undo: U; result?: R; host: H },
): Pick<Operation, 'content'> {
  if (content === undefined) return {};
  const { lost, of } = content;
  return {
    content: {
      ...{ lost, of, once: content.once === true },
      witness: async (input) => content.witness?.(read(input)),
      changed: ({ way, touched, filled, witness, ...input }) =>
        content.changed({ ...read(input), way, touched, filled, ...present({ witness }) }),
    },
  };
}

function laterOf<U, R>(
  later: LaterSpec<U, R> | undefined,
  undoOf: (value: unknown) => U,
  read: <H>(input: Journalled<H>) => { undo: U; result?: R; host: H },
): Pick<Operation, 'later'> {
  if (later === undefined) return {};
  const { bringBack, keep, keeps, refuse } = later;
  return {
    later: {
      keeps: (undo) => keep !== undefined && (keeps?.({ undo: undoOf(undo) }) ?? true),
      keep: async ({ to, ...input }) => keep?.({ ...read(input), to }),
      refuse: (input) => refuse(read(input)),
      ...(bringBack === undefined
        ? {}
        : {
            bringBack: async ({ from, ...input }) =>
              json({ ...read(input).undo, ...(await bringBack({ ...read(input), from })) }),
          }),
    },
  };
}

/** Attempts to act with another identity (IdentityTaken): of many parallel steps, each may lose its own to all others. */
export const identityTries = 100;

/** A value after a round trip through the journal: throws for a value that would not survive. */
export function json(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError('undo data and results must be JSON values');
  return JSON.parse(text);
}

type Head = Pick<
  Operation,
  'kind' | 'version' | 'lives' | 'restores' | 'parseArgs' | 'journalled' | 'prepare' | 'claims'
>;

function head<A, U>(spec: Common<A, U>, lives: 'disk' | 'boot', restores: 'state' | 'existence'): Head {
  const parse = parsers(spec);
  return {
    kind: spec.kind,
    version: spec.version,
    lives,
    restores,
    parseArgs: (args) => {
      const given = withoutUndefined(args);
      return json(
        check(spec.args, given, (issues) =>
          wrongOptions(stepName(spec.kind), issues, { value: given, schema: spec.args }),
        ),
      );
    },
    journalled: (args) => json(spec.journalled?.(parse.args(args)) ?? args),
    prepare: async (input) => {
      const { args, mark, host } = input;
      const given = {
        ...{ args: parse.args(args), mark, host },
        get chosen() {
          const { chosen } = input;
          return chosen === undefined ? undefined : parse.undo(chosen);
        },
      };
      try {
        return json(await spec.prepare(given));
      } catch (error) {
        throw namedError(stepName(spec.kind), args, error);
      }
    },
    claims: async (input) => spec.claims({ ...parse.both(input), on: input.on }),
  };
}

function parsers<A, U>(spec: Common<A, U>) {
  const args = (value: unknown): A =>
    check(spec.args, value, (issues) => unreadable(spec.kind, 'args', issuesIn(issues, value)));
  const undo = (value: unknown): U =>
    check(spec.undo, value, (issues) => unreadable(spec.kind, 'undo', issuesIn(issues, value)));
  return {
    args,
    undo,
    both: (input: { readonly args: unknown; readonly undo: unknown }): { args: A; undo: U } => ({
      args: args(input.args),
      undo: undo(input.undo),
    }),
  };
}

function unreadable(kind: string, what: string, issues: string): JournalError {
  return new JournalError(`${kind}: its ${what} cannot be read: ${issues}`);
}
