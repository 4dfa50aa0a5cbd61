import { decode } from '../../atomic/journal/lines.ts';
import { keyInWords, objectsOf } from '../../atomic/locks/host-key.ts';
import { fold, type State, type Step } from '../../atomic/journal/state.ts';
import type { Store } from '../../atomic/journal/store.ts';
import type { Engine } from '../../atomic/index.ts';
import type { Plan } from '../output/answers/index.ts';
import type { ReportedChange } from './planning-host.ts';

type Steps = Plan['steps'];

/** A change found by a dry run. */
export interface PlannedChange extends ReportedChange {
  /** Id of the journal of its sequence. */
  readonly id: string;
  readonly n: number;
  readonly kind: string;
}

/** A step of the plan with its journal, because names of sequences are not unique. */
interface Placed {
  readonly id: string;
  readonly step: Steps[number];
}

/** Returns the steps of a plan in execution order. `started`: its sequences in start order. */
export async function stepsOf(
  store: Store,
  changes: readonly PlannedChange[],
  started: readonly string[],
  find: Engine['find'],
): Promise<Steps> {
  const states = { of: statesOf(store), find };
  return withPairs(states.of, await grouped(states, changes, started), started).map(({ step }) => step);
}

/** Groups the changes by step. A sequence that is not in `started` is being recovered. */
async function grouped(
  states: Known,
  changes: readonly PlannedChange[],
  started: readonly string[],
): Promise<readonly Placed[]> {
  const steps: Placed[] = [];
  let last: PlannedChange | undefined;
  for (const change of changes) {
    const { id } = change;
    const same = last?.id === id && last.n === change.n && last.when === change.when;
    last = change;
    const open = steps.at(-1);
    if (same && open !== undefined) open.step.changes.push(asData(change));
    else steps.push({ id, step: await stepOf(states, change, !started.includes(id)) });
  }
  return steps;
}

function asData({ line, commands }: PlannedChange): Steps[number]['changes'][number] {
  return { line, commands: commands.map((words) => [...words]) };
}

/** Inserts the script's pairs of functions, which a plan does not call, at their positions. */
function withPairs(states: States, steps: readonly Placed[], started: readonly string[]): readonly Placed[] {
  const all = [...steps];
  for (const id of started) {
    const { begin, steps: journalled } = states(id);
    for (const { n, intent } of journalled.filter((step) => step.intent.kind === 'bare')) {
      const line = `# "${pairName(intent.args)}": the script's own code, not called here`;
      const step: Steps[number] = {
        sequence: begin.name,
        n,
        kind: intent.kind,
        ...onHost(intent),
        objects: [...objectsOf(intent)],
        when: 'in turn',
        changes: [{ line, commands: [] }],
        undo: "the script's own function, while the process lives",
      };
      all.splice(placeOf(all, { id, n }, started), 0, { id, step });
    }
  }
  return all;
}

/**
 * The position of a pair: after the older steps of its sequence, else before its other steps, else after the
 * sequences that started earlier.
 */
function placeOf(
  all: readonly Placed[],
  { id, n }: { readonly id: string; readonly n: number },
  started: readonly string[],
): number {
  const older = all.findLastIndex(
    (each) => each.id === id && each.step.when === 'in turn' && each.step.n < n,
  );
  if (older >= 0) return older + 1;
  const first = all.findIndex((each) => each.id === id);
  if (first >= 0) return first;
  return all.findLastIndex((each) => started.indexOf(each.id) < started.indexOf(id)) + 1;
}

function onHost({ host }: Step['intent']): Pick<Steps[number], 'host'> {
  return host === '' ? {} : { host };
}

function pairName(args: unknown): string {
  return typeof args === 'object' && args !== null && 'name' in args ? String(args.name) : '';
}

async function stepOf(known: Known, change: PlannedChange, old: boolean): Promise<Steps[number]> {
  const { id, n, kind } = change;
  const { begin, steps, committed, closed } = known.of(id);
  // Every change of an interrupted sequence is an undo, or, after its commit, a part of the roll forward.
  const going: Steps[number]['when'] = committed ? 'after the commit' : 'undo';
  // A sequence that fails, and whose error the script catches, is undone in the plan as in the run.
  const isBack = closed === 'rolled-back' && change.when === 'release';
  const when = old ? going : isBack ? 'undo' : change.when;
  const step = steps.find((each) => each.n === n);
  const head = { sequence: begin.name, n, kind, when, changes: [asData(change)] };
  if (step === undefined) return { ...head, objects: [] };
  const objects = [...objectsOf(step.intent)];
  return {
    ...head,
    ...onHost(step.intent),
    objects,
    ...(when === 'in turn' ? { undo: await undoOf(step, known.find) } : {}),
  };
}

type States = (id: string) => State;

/** The journals, and the operations of bofh and of the site. */
interface Known {
  readonly of: States;
  readonly find: Engine['find'];
}

/** Reads the states of journals, each only once, because the plan has ended. */
function statesOf(store: Store): States {
  const known = new Map<string, State>();
  return (id) => {
    const state = known.get(id) ?? stateOf(store, id);
    known.set(id, state);
    return state;
  };
}

function stateOf(store: Store, id: string): State {
  const file = store.open(`history/${id}.journal`) ?? store.open(`${id}.journal`);
  if (file === undefined) throw new TypeError(`the dry run lost the journal ${id}`);
  try {
    return fold(decode(file.read(), id).lines);
  } finally {
    file.close();
  }
}

/** Returns a sentence about the undo of a step. */
async function undoOf({ intent }: Step, find: Engine['find']): Promise<string> {
  const code = await find(intent.kind, intent.version);
  const inWords = (keys: readonly string[] = []) => keys.map((key) => keyInWords(intent.host, key));
  const [makes, changes] = [inWords(intent.claims?.makes), inWords(intent.claims?.changes)];
  const said: string[] = [];
  if (makes.length > 0) said.push(`${makes.join(', ')} is removed`);
  if (changes.length > 0)
    said.push(
      code?.restores === 'existence'
        ? `${changes.join(', ')} is restored, but not all of its former state`
        : `${changes.join(', ')} gets its former state back`,
    );
  return said.join('; ');
}
