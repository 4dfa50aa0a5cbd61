import { RefusedError } from '../errors.ts';
import { codeOf, type Engine } from './engine.ts';
import type { Journal } from './journal.ts';
import type { Claims, Key } from './operation.ts';
import { describe } from './report.ts';
import { exclusive, inScope, type State, type Step } from './state.ts';

interface Reaching {
  readonly n: number;
  readonly kind: string;
  readonly claims: Claims;
}

/**
 * A step reaches by name for what older steps of its sequence made. Somebody may have put a thing of their own under
 * that name since, and locks of ours do not bind them: so each such object is looked at again, right before the act.
 * Throws RefusedError, with which nothing has been done.
 */
export async function expectStillOurs(
  engine: Engine,
  { state, id }: Pick<Journal, 'state' | 'id'>,
  { n, kind, claims }: Reaching,
): Promise<void> {
  for (const [step, key] of leanedOn(state, n, claims)) {
    const code = await codeOf(engine, step.intent, id);
    const result = step.done === undefined ? {} : { result: step.done.result };
    const look = await code.look({ undo: step.intent.undo, host: engine.host, ...result });
    if (look.state === 'ours' && look.moved === undefined && look.found === undefined) continue;
    const found = look.moved ?? look.found ?? 'there is no trace of it any more';
    throw new RefusedError(
      `${kind} works on ${key}, which is not as this sequence has left it: ${describe(step, found)}; nothing was done to it`,
      { remedy: 'find out who else works on it, then give the command again' },
    );
  }
}

/**
 * Of each object that older steps made and this one uses or changes: the newest step that made or changed it. What lives
 * until a reboot only (a guest that ran on it, a mount) is asked last: it may have ended by itself, and tells nothing of
 * the object then.
 */
function leanedOn(state: State, n: number, claims: Claims): ReadonlyMap<Step, Key> {
  // What a failed scope is undoing at this moment is refused by the sequence itself.
  const standing = state.steps.filter(
    ({ n: other, undone, intent }) =>
      other !== n &&
      undone === undefined &&
      intent.claims !== null &&
      !state.unwinding.some((scope) => inScope(state, intent.scope, scope)),
  );
  const leaned = new Map<Step, Key>();
  for (const key of [...(claims.changes ?? []), ...(claims.needs ?? [])]) {
    if (!standing.some(({ intent }) => intent.claims?.makes?.includes(key) === true)) continue;
    const touched = standing.filter(({ intent }) => exclusive(intent.claims ?? {}).includes(key));
    const newest = touched.findLast(({ intent }) => intent.lives === 'disk') ?? touched.at(-1);
    // The code of a bare pair cannot look.
    if (newest !== undefined && newest.intent.kind !== 'bare') leaned.set(newest, key);
  }
  return leaned;
}
