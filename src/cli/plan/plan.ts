import { basename } from 'node:path';
import type { AnyOperation, Engine, Place } from '../../atomic/index.ts';
import type { Store } from '../../atomic/journal/store.ts';
import { withBofh } from '../../bofh.ts';
import { type Bofh } from '../../connect.ts';
import type { Host } from '../../command/index.ts';
import { BofhError, RefusedError, RolledBackError, StuckError } from '../../core/errors.ts';
import { findOperation } from '../../operations.ts';
import { simulatedBofh } from '../../simulator/bofh.ts';
import type { SimulatedHost } from '../../simulator/host.ts';
import { linkDrbd } from '../../simulator/world/drbd-link.ts';
import { simulate } from '../../simulator/real-host/simulate.ts';
import { unknownIn } from '../../simulator/real-host/unknown.ts';
import { give } from '../output/answer.ts';
import type { Plan } from '../output/answers/index.ts';
import { type Telling, telling, type ReportedChange } from './planning-host.ts';
import { lazyPlace, plannedPlace, plannedReservations } from './places.ts';
import { type PlannedChange, stepsOf } from './steps.ts';
import { planInWords } from './text.ts';
import { present } from '../../core/present.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { messageOf, oneLine } from '../output/text.ts';

/** The results of a dry run besides the steps. */
export type Findings = Pick<Plan, 'refused' | 'journals'>;

/** A plan without its verb. */
export type Planned = Pick<Plan, 'steps' | 'refused' | 'journals'>;

/**
 * Runs a verb on a simulated host that reads from the real one. Starts only programs that read, and
 * writes nothing. A refusal is thrown as in a real run.
 */
export async function dryRun(
  runtime: Runtime,
  real: Bofh,
  body: (bofh: Bofh, found: Findings) => Promise<unknown>,
  exitCode: (planned: Planned) => number = () => 0,
): Promise<number> {
  const planned = await planOf(real, readJournals(real.engine.store), body);
  showPlan(runtime, planned);
  return exitCode(planned);
}

/** Prints the plan; `head` comes before the steps. */
export function showPlan(
  runtime: Runtime,
  planned: Planned,
  about: { readonly script?: string; readonly head?: readonly string[] } = {},
): void {
  const { script, head = [] } = about;
  const ran = present({ script });
  const data: Plan = { format: 1, verb: runtime.verb, ...ran, ...planned };
  const first =
    script === undefined
      ? []
      : [
          `dry run: the script ${oneLine(script)} itself was run: network requests that it made were really sent`,
        ];
  // Every verb has this answer in a dry run.
  give(runtime as Runtime<Plan>, {
    data,
    lines: [...first, ...head, ...planInWords(planned, head.length > 0)],
  });
}

/** An unfinished sequence of the real host: a plan also refuses its objects. */
export interface CopiedJournal {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The other hosts of a plan, and whether each has leftovers. */
export type Reached = ReadonlyMap<string, { readonly place: Place; readonly left: 'something' | 'nothing' }>;

/** Returns what a body would do, on this host and on those in `reached`. */
export async function planOf(
  real: Pick<Bofh, 'host' | 'site' | 'stateDir'> & {
    readonly engine?: Pick<Engine, 'reservations' | 'reserved' | 'place'> & Partial<Pick<Engine, 'find'>>;
  },
  journals: readonly CopiedJournal[],
  body: (bofh: Bofh, found: Findings) => Promise<unknown>,
  reached: Reached = new Map(),
): Promise<Planned> {
  const simulated = simulatedBofh({ host: await simulate(real.host), site: real.site, planning: true });
  const { store } = simulated.engine;
  for (const { name, bytes } of journals) {
    const copy = store.create(name);
    copy.write(bytes, 0);
    copy.close();
  }
  const started: string[] = [];
  const { named, marked, onProgress, changes } = recording();
  const host = named(simulated.host, real.host.name);
  const { reservations: there, reserved } = real.engine ?? {};
  const places = new Map<string, Place>();
  const connectPeer = (each: SimulatedHost): void => {
    linkDrbd(simulated.host.world, each.world);
    each.world.coordinator = simulated.host.world;
  };
  for (const [name, { place, left }] of reached)
    places.set(
      name,
      await plannedPlace(place, left, (each) => {
        connectPeer(each);
        return named(each, name);
      }),
    );
  const placeNamed = (name: string): Place => {
    const there = places.get(name) ?? real.engine?.place?.(name) ?? refuseUnplanned(name);
    const place = places.has(name)
      ? there
      : lazyPlace(name, there, { connectPeer, named: (each) => named(each, name) });
    places.set(name, place);
    return place;
  };
  const find: Engine['find'] = async (kind, version) => {
    const code = await (real.engine?.find ?? findOperation)(kind, version);
    return code === undefined ? undefined : marked(code);
  };
  const bofh: Bofh = {
    ...simulated,
    host,
    stateDir: real.stateDir,
    engine: {
      ...simulated.engine,
      ...{ store: hearing(store, started), host, find, onProgress },
      keptIn: `${real.stateDir}/journal/history`,
      ...present({ reserved }),
      ...(there === undefined ? {} : { reservations: plannedReservations(real.host, there) }),
      place: placeNamed,
    },
  };
  const found: Findings = { refused: [], journals: [] };
  try {
    await withBofh(bofh, () => body(bofh, found));
  } catch (error) {
    throw wouldFail(error);
  }
  if (started.some((id) => store.open(`${id}.journal`) !== undefined))
    throw new RefusedError(
      'the script left a sequence open in the dry run, and would leave it open in a real run too',
      {
        remedy: 'the script began a sequence that it never awaited: look for a missing await',
      },
    );
  return { steps: await stepsOf(store, changes, started, find), ...found };
}

function refuseUnplanned(name: string): never {
  throw new RefusedError(`steps on ${name} cannot be planned: a plan covers only one host`, {
    remedy: 'let the script leave out these steps in a dry run: if (!tx.planning) …',
  });
}

/** Records each new sequence when its journal gets its final name. */
function hearing(store: Store, started: string[]): Store {
  return {
    ...store,
    rename: (from, to) => {
      store.rename(from, to);
      const id = /^(?<id>[^/]+)\.journal$/.exec(to)?.groups?.id;
      if (id !== undefined) started.push(id);
    },
  };
}

/** Records every change of a host, with the step that makes it. */
function recording() {
  const changes: PlannedChange[] = [];
  let last: (ReportedChange & { readonly id: string }) | undefined;
  const onProgress: NonNullable<Engine['onProgress']> = ({ n, kind }) => {
    if (last !== undefined) changes.push({ n, kind, ...last });
    last = undefined;
  };
  const all: Telling[] = [];
  const named = (simulated: Host, name: string): Host => {
    const one = telling({ ...simulated, name }, (step, change) => {
      last = { id: basename(step.outputs, '.d'), ...change };
      step.onProgress?.({ command: { tool: change.line, argv: [] } });
    });
    all.push(one);
    return one.host;
  };
  const marked = (code: AnyOperation): AnyOperation => all.reduce((of, each) => each.marked(of), code);
  return { named, marked, onProgress, changes };
}

/**
 * Returns the unfinished sequences of a host. Throws RefusedError if this user cannot read them.
 */
export function readJournals(store: Store): readonly CopiedJournal[] {
  try {
    return store
      .names('.')
      .filter((name) => name.endsWith('.journal'))
      .flatMap((name) => {
        const file = store.open(name);
        if (file === undefined) return [];
        const bytes = file.read();
        file.close();
        return [{ name, bytes }];
      });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error;
    throw new RefusedError(`a plan needs the journals in ${store.directory}, and only root may read them`, {
      cause: error,
      remedy: 'run it as root, for example with sudo',
    });
  }
}

/** A failure on the simulated host left nothing on the real one. */
function wouldFail(error: unknown): unknown {
  const isUndone = error instanceof RolledBackError || error instanceof StuckError;
  // The first error is the reason, the others are of the undo.
  const reason: unknown =
    isUndone && error.cause instanceof AggregateError ? error.cause.errors[0] : undefined;
  const unknown = unknownIn(reason ?? error);
  if (unknown !== undefined) return unknown;
  if (!isUndone) return error;
  const cause = error.cause instanceof Error ? error.cause : error;
  const remedy = cause instanceof BofhError && cause.remedy !== undefined ? { remedy: cause.remedy } : {};
  return new RefusedError(`the change would fail and be rolled back: ${messageOf(cause)}`, {
    cause: error,
    ...remedy,
  });
}
