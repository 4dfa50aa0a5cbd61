import { basename } from 'node:path';
import type { Engine } from '../atomic/index.ts';
import { decode } from '../atomic/lines.ts';
import { exclusive, fold, type Step } from '../atomic/state.ts';
import type { Store } from '../atomic/store.ts';
import { type Bofh, withBofh } from '../bofh.ts';
import type { Host } from '../command/index.ts';
import { BofhError, RefusedError, RolledBackError, StuckError } from '../errors.ts';
import { findOperation } from '../operations.ts';
import { simulatedBofh } from '../testing/bofh.ts';
import { simulate } from '../testing/simulate.ts';
import { give } from './answer.ts';
import type { Plan } from './answers.ts';
import { telling, type When } from './dry-host.ts';
import type { Runtime } from './runtime.ts';
import { oneLine, printable } from './text.ts';

/**
 * The dry run of a verb: the same code on a simulated host that looks at the real one. Nothing is started there but
 * reads, and nothing is written. What would be refused is thrown as it would be.
 */
export async function dryRun(
  runtime: Runtime,
  real: Bofh,
  body: (bofh: Bofh) => Promise<unknown>,
): Promise<number> {
  showPlan(runtime, await planOf(real, readJournals(real.engine.store), body));
  return 0;
}

/** The answer of a dry run. */
export function showPlan(runtime: Runtime, data: Plan): void {
  give(runtime, { data, lines: inWords(data) });
}

/** An unfinished sequence of the real host: what it holds is refused in a plan too. */
export interface CopiedJournal {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a body would do. */
export async function planOf(
  real: Pick<Bofh, 'host' | 'site' | 'stateDir'>,
  journals: readonly CopiedJournal[],
  body: (bofh: Bofh) => Promise<unknown>,
): Promise<Plan> {
  const simulated = simulatedBofh({ host: await simulate(real.host), site: real.site, planning: true });
  const { store } = simulated.engine;
  for (const { name, bytes } of journals) {
    const copy = store.create(name);
    copy.write(bytes, 0);
    copy.close();
  }
  const before = new Set(store.names('.'));
  const { host, marked, onProgress, changes } = recording(simulated.host);
  const find: Engine['find'] = async (kind, version) => {
    const code = await findOperation(kind, version);
    return code === undefined ? undefined : marked(code);
  };
  const bofh: Bofh = {
    ...simulated,
    host,
    stateDir: real.stateDir,
    engine: { ...simulated.engine, host, find, onProgress },
  };
  try {
    await withBofh(bofh, () => body(bofh));
  } catch (error) {
    throw wouldFail(error);
  }
  if (store.names('.').some((name) => name.endsWith('.journal') && !before.has(name)))
    throw new RefusedError('the dry run came to no end, and so would the run');
  return withPairs(store, await grouped(store, changes));
}

/** A change that a dry run came to, as a person would type it. */
interface PlannedChange {
  /** Of the sequence's journal. */
  readonly id: string;
  readonly n: number;
  readonly kind: string;
  readonly line: string;
  readonly when: When;
}

/** The host tells what is changed, and the engine, asked through the step, which step it is. */
function recording(simulated: Host) {
  const changes: PlannedChange[] = [];
  let told: { readonly id: string; readonly line: string; readonly when: When } | undefined;
  const onProgress: NonNullable<Engine['onProgress']> = ({ n, kind }) => {
    if (told !== undefined) changes.push({ n, kind, ...told });
    told = undefined;
  };
  const { host, marked } = telling(simulated, (step, line, when) => {
    told = { id: basename(step.outputs, '.d'), line, when };
    step.onProgress?.({ command: { tool: line, argv: [] } });
  });
  return { host, marked, onProgress, changes };
}

/** The unfinished sequences of a host. */
export function readJournals(store: Store): readonly CopiedJournal[] {
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
}

/** A failure on the simulated host left nothing on the real one. */
function wouldFail(error: unknown): unknown {
  if (!(error instanceof RolledBackError || error instanceof StuckError)) return error;
  const cause = error.cause instanceof Error ? error.cause : error;
  const remedy = cause instanceof BofhError && cause.remedy !== undefined ? { remedy: cause.remedy } : {};
  return new RefusedError(`it would fail, and be undone: ${cause.message}`, { cause: error, ...remedy });
}

/** The changes of one step together, in the order in which they would be made. */
async function grouped(store: Store, changes: readonly PlannedChange[]): Promise<Plan> {
  const steps: Plan = [];
  let last: PlannedChange | undefined;
  for (const change of changes) {
    const same = last?.id === change.id && last.n === change.n && last.when === change.when;
    last = change;
    const open = steps.at(-1);
    if (same && open !== undefined) open.changes.push(change.line);
    else steps.push(await stepOf(store, change));
  }
  return steps;
}

/** The script's own pairs of functions, which are not called, in their places among the steps. */
function withPairs(store: Store, steps: Plan): Plan {
  const all = [...steps];
  for (const name of store.names('history').filter((each) => each.endsWith('.journal'))) {
    const { begin, steps: journalled } = stateOf(store, basename(name, '.journal'));
    for (const { n, intent } of journalled.filter((step) => step.intent.kind === 'bare')) {
      const own = (step: Plan[number]): boolean => step.sequence === begin.name && step.when === 'in turn';
      const after = all.findLastIndex((step) => own(step) && step.n < n);
      all.splice(after + 1, 0, {
        sequence: begin.name,
        n,
        kind: intent.kind,
        objects: [...exclusive(intent.claims ?? {})],
        when: 'in turn',
        changes: [`# "${pairName(intent.args)}": the script's own code, not called here`],
        undo: "by the script's own code, while it lives",
      });
    }
  }
  return all;
}

function pairName(args: unknown): string {
  return typeof args === 'object' && args !== null && 'name' in args ? String(args.name) : '';
}

async function stepOf(store: Store, change: PlannedChange): Promise<Plan[number]> {
  const { id, n, kind, when, line } = change;
  const { begin, steps } = stateOf(store, id);
  const step = steps.find((each) => each.n === n);
  const head = { sequence: begin.name, n, kind, when, changes: [line] };
  if (step === undefined) return { ...head, objects: [] };
  const objects = [...exclusive(step.intent.claims ?? {})];
  return { ...head, objects, ...(when === 'in turn' ? { undo: await undoOf(step) } : {}) };
}

function stateOf(store: Store, id: string) {
  const file = store.open(`history/${id}.journal`);
  if (file === undefined) throw new TypeError(`the dry run lost the journal ${id}`);
  try {
    return fold(decode(file.read(), id).lines);
  } finally {
    file.close();
  }
}

/** How a step is taken back, in words. */
async function undoOf({ intent }: Step): Promise<string> {
  const code = await findOperation(intent.kind, intent.version);
  const { makes = [], changes = [] } = intent.claims ?? {};
  const said: string[] = [];
  if (makes.length > 0) said.push(`${makes.join(', ')} is removed again`);
  if (changes.length > 0)
    said.push(
      code?.restores === 'existence'
        ? `${changes.join(', ')} is there again, though not in the very state that it had`
        : `${changes.join(', ')} is put back as it was`,
    );
  return said.join('; ');
}

const parts = [
  { head: 'dry run: nothing of this is done', has: ['in turn', 'release'] },
  { head: 'before the commit, so that it is on the disk:', has: ['before the commit'] },
  { head: 'after the commit, and not undoable:', has: ['after the commit'] },
];

function inWords(steps: Plan): readonly string[] {
  if (steps.length === 0) return ['dry run: there is nothing to do'];
  return parts.flatMap(({ head, has }) => {
    const own = steps.filter(({ when }) => has.includes(when));
    return own.length === 0 ? [] : [head, ...own.flatMap(stepInWords)];
  });
}

function stepInWords({ n, kind, objects, when, changes, undo }: Plan[number]): readonly string[] {
  const of = objects.length === 0 ? '' : ` (${objects.join(', ')})`;
  const what = when === 'release' ? `release of step ${String(n)}` : `step ${String(n)}`;
  return [
    printable(`${what}: ${kind}${of}`),
    ...changes.map((line) => `    ${oneLine(line)}`),
    ...(undo === undefined || undo === '' ? [] : [printable(`  undo: ${undo}`)]),
  ];
}
