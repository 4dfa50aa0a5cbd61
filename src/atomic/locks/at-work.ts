import { BofhError, CommandError, RefusedError, UsageError } from '../../core/errors.ts';
import type { Engine } from '../engine.ts';
import { journals, workedOn, type Seen, type Worked } from '../journal/scan.ts';
import { exclusive, isLeft, type Step } from '../journal/state.ts';
import type { Key } from '../operation.ts';
import { hostKey, ownKey } from './host-key.ts';

/** A running or unfinished sequence that works on an object named in the arguments of a step. */
export interface AtWork {
  readonly key: Key;
  readonly seen: Seen;
  readonly step: Step;
  readonly owner: Worked['owner'];
}

/** Whether an error is a refusal because of the state of the host, which a running sequence may be changing. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof CommandError)
    return ['exists', 'not-found', 'busy', 'no-space'].includes(error.reason);
  return error instanceof RefusedError || error instanceof UsageError;
}

/** A step, or a recipe, that is checked. */
export interface CheckedStep {
  readonly kind: string;
  readonly args: unknown;
  /** Whether a recipe is about this object; the arguments of a recipe do not name the objects of its steps. */
  readonly isAbout?: (key: Key) => boolean;
}

/**
 * Finds the open sequence whose objects a step names, a running one first. The check of the step may have
 * seen a state of that sequence which changes in a moment, or which recovery removes. The claims of a step
 * are known only after its check, so its arguments are compared: a path by its device, a name with the names
 * in steps of the same driver.
 */
export async function atWorkOn(engine: Engine, own: string, step: CheckedStep): Promise<AtWork | undefined> {
  const open = await openJournals(engine, own);
  if (open.length === 0) return undefined;
  const texts = textsIn(step.args);
  const devices = await Promise.all(
    texts.filter((text) => text.startsWith('/')).map((path) => keysAt(engine, path)),
  );
  const named = new Set(devices.flatMap(({ keys }) => keys));
  const beneath = new Set(devices.flatMap((each) => each.beneath));
  const names = texts.filter((text) => !text.startsWith('/'));
  const pairs = new Set(names.flatMap((a) => names.map((b) => `${a}/${b}`)));
  const isNamed = (other: Step, key: Key, mode: 'exclusive' | 'shared'): boolean => {
    if (named.has(key) || (mode === 'exclusive' && beneath.has(key))) return true;
    if (step.isAbout?.(ownKey(engine.host.name, key)) === true) return true;
    if (driverOf(other.intent.kind) !== driverOf(step.kind)) return false;
    const name = nameIn(ownKey(engine.host.name, key));
    return pairs.has(name) || (mode === 'exclusive' && names.includes(name));
  };
  for (const { seen, owner } of open)
    for (const other of seen.state.steps.filter((each) => isLeft(seen.state, each))) {
      const { claims, host } = other.intent;
      if (claims === null || host !== engine.host.name) continue;
      const key =
        exclusive(claims).find((each) => isNamed(other, each, 'exclusive')) ??
        (claims.needs ?? []).find((each) => isNamed(other, each, 'shared'));
      if (key !== undefined) return { key, seen, step: other, owner };
    }
  return undefined;
}

async function openJournals(engine: Engine, own: string): Promise<readonly Pick<AtWork, 'seen' | 'owner'>[]> {
  const open = journals(engine, own).filter(({ state }) => state.closed === undefined);
  const worked = open.length === 0 ? [] : await workedOn(engine, open);
  const all = open.map((seen, i) => ({ seen, owner: worked[i]?.owner ?? 'dead' }));
  const isLiving = ({ owner }: Pick<AtWork, 'owner'>): boolean => owner === 'running';
  return [...all.filter(isLiving), ...all.filter((each) => !isLiving(each))];
}

async function keysAt(engine: Engine, path: string) {
  const all = (keys: readonly Key[]) => keys.map((key) => hostKey(engine, key));
  const plain = [`file:${path}`, `mnt:${path}`];
  try {
    const { key, beneath } = await engine.on(path);
    return { keys: all([...plain, key]), beneath: all(beneath) };
  } catch (error) {
    // The path is not a device, or the device does not exist now.
    if (!(error instanceof BofhError)) throw error;
    return { keys: all(plain), beneath: [] };
  }
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function driverOf(kind: string): string | undefined {
  return kind.split('.')[0];
}

/** The name in a key: `vg0/web1` of `lv:vg0/web1`. */
function nameIn(key: Key): string {
  return key.slice(key.indexOf(':') + 1);
}
