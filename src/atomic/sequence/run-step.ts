import { askedOnce } from '../../command/index.ts';
import { IdentityTaken, NotDone, RefusedError } from '../../core/errors.ts';
import {
  claim,
  checkUnlessBusy,
  refuseDamaged,
  refuseLostLock,
  withHost,
  type Claiming,
} from '../locks/claims.ts';
import { changing, codeOf, type Engine } from '../engine.ts';
import { hostKey, keyInWords, ownKey } from '../locks/host-key.ts';
import { append, type Journal } from '../journal/journal-writer.ts';
import type { IntentLine } from '../journal/lines.ts';
import {
  identityTries,
  json,
  type AnyOperation,
  type Claims,
  type DeviceKeys,
  type Mounted,
} from '../operation.ts';
import { eachOnce } from '../place.ts';
import { noticing } from './change-notice.ts';
import { containerStep } from '../undo/next.ts';
import { expectStillOurs } from '../undo/ownership.ts';
import { undoNow } from '../undo/act.ts';
import { mountsOf } from '../undo/unmounted.ts';
import { renewedWitnesses } from '../undo/witness.ts';
import { syncOlder } from '../undo/out-of-reach.ts';
import { exclusive, type State, type Step, stepOf } from '../journal/state.ts';
import { stepName } from '../../core/option.ts';

/** The parts of its sequence that a step needs. */
export interface StepHome extends Claiming {
  /** The boot of the host that the sequence began on. */
  readonly boot: string;
  readonly scope: number | undefined;
  readonly takeNumber: () => number;
  /** Whether no step has started since the one with this number. */
  readonly isNewest: (n: number) => boolean;
  /** Throws if the step changes an object that a temporary step opened; missing for a temporary step. */
  readonly refuseOnTemporary?: (code: AnyOperation, claims: Claims) => void;
  /**
   * Writes an intent, durable; the first intent creates the journal. Throws if the sequence failed
   * meanwhile.
   */
  readonly announce: (intent: IntentLine) => Promise<Journal>;
}

export interface StepDone {
  readonly n: number;
  readonly value: unknown;
}

/**
 * Runs one step, from its checks to its `done` line. If another process took the chosen identity, chooses
 * another one.
 */
export async function takeStep(from: StepHome, code: AnyOperation, input: unknown): Promise<StepDone> {
  const args = code.parseArgs(input);
  // Another host may reboot during the step.
  const { host, reservations } = from.engine;
  const home = reservations === undefined ? from : { ...from, boot: (await host.facts()).boot };
  for (let attempt = 1; ; attempt += 1) {
    const n = home.takeNumber();
    home.running.set(n, { kind: code.kind, claims: {} });
    try {
      const prepared = { n, args, ...(await prepare(home, code, args, n)) };
      home.refuseOnTemporary?.(code, prepared.claims);
      const journal = await home.announce(intentOf(home, code, prepared));
      expectLocked(home, journal, n, prepared.claims);
      return await act(home, code, journal, prepared);
    } catch (error) {
      if (!(error instanceof IdentityTaken) || attempt === identityTries) throw error;
    } finally {
      home.running.delete(n);
    }
  }
}

/** Runs a pair of functions as a step: the journal has its intent, but cannot have its code. */
export async function takePair<T>(
  home: StepHome,
  pair: { readonly name: string; readonly claims: Claims | undefined },
  run: (n: number, journal: Journal) => Promise<T>,
): Promise<T> {
  const n = home.takeNumber();
  home.running.set(n, { kind: pair.name, claims: {} });
  try {
    if (pair.claims === undefined) refuseDamaged(home.engine);
    else await claim(home, pair.name, n, pair.claims);
    const claims = pair.claims === undefined ? null : withHost(home.engine, pair.claims);
    const what = { kind: 'bare', version: 1, args: { name: pair.name }, undo: null } as const;
    const journal = await home.announce({
      ...head(home, n),
      ...what,
      claims,
      lives: 'disk',
      after: false,
    });
    if (claims !== null) expectLocked(home, journal, n, claims);
    return await run(n, journal);
  } finally {
    home.running.delete(n);
  }
}

/** Called before the step acts. If its lock was lost, marks the step as undone and throws. */
function expectLocked(home: StepHome, journal: Journal, n: number, claims: Claims): void {
  try {
    refuseLostLock(home, claims);
  } catch (error) {
    append(journal, [{ t: 'undone', n }]);
    throw error;
  }
}

/**
 * prepare → claims → locks → prepare again under them, keeping the identities chosen the first time. Once is enough
 * if the sequence had the locks before, no other step ran meanwhile, and the operation does the same both times: what
 * does not read `chosen` cannot tell the calls apart.
 */
async function prepare(home: StepHome, code: AnyOperation, args: unknown, n: number) {
  const { engine } = home;
  const mark = `bofh.${home.id}.${n}`;
  const twice = { isSame: true };
  const looked = async (before?: unknown) => {
    const host = askedOnce(engine.host);
    const on = (path: string): Promise<DeviceKeys> => engine.on(path, host);
    const undoData = await code.prepare({
      ...{ args, mark, host },
      get chosen() {
        twice.isSame = false;
        return before;
      },
    });
    const claims = await code.claims({ args, undo: undoData, on });
    return { undoData, claims, mounts: await mountsOf(engine, host, claims) };
  };
  const isAlone = (): boolean => home.running.size === 1 && home.isNewest(n);
  const wasAlone = isAlone();
  const first = await checkUnlessBusy(home, { kind: code.kind, args }, () => looked());
  const { undoData: chosen, claims } = first;
  const isStillAlone = wasAlone && isAlone();
  if ((await claim(home, code.kind, n, claims)) && isStillAlone && twice.isSame)
    return { ...first, claims: withHost(engine, claims) };
  const { claims: claimsNow, ...now } = await looked(chosen);
  if (JSON.stringify(claimsNow) !== JSON.stringify(claims))
    throw new RefusedError(`${stepName(code.kind)}: one of its objects changed while bofh locked them`, {
      remedy: 'run the command again',
    });
  return { ...now, claims: withHost(engine, claims) };
}

interface Prepared {
  readonly n: number;
  readonly args: unknown;
  readonly undoData: unknown;
  readonly claims: Claims;
  readonly mounts: readonly Mounted[];
}

function intentOf(home: StepHome, code: AnyOperation, prepared: Prepared): IntentLine {
  const { n, args, undoData, claims, mounts } = prepared;
  const contains = code.contains({ args, undo: undoData });
  const within = code.within({ args, undo: undoData });
  const kept = code.keepsContent(undoData);
  return {
    ...head(home, n),
    kind: code.kind,
    version: code.version,
    args: code.journalled(args),
    undo: undoData,
    claims,
    ...(contains === undefined ? {} : { contains: hostKey(home.engine, contains) }),
    ...(within === undefined ? {} : { within: hostKey(home.engine, within) }),
    lives: code.lives,
    ...(code.recurs ? { recurs: true } : {}),
    ...(kept === true ? { keepsContent: true } : {}),
    ...(kept === true || kept.length === 0
      ? {}
      : { keepsContent: kept.map((key) => hostKey(home.engine, key)) }),
    ...(mounts.length === 0 ? {} : { mounts }),
    after: code.after(undoData),
  };
}

function head({ engine, boot, scope }: StepHome, n: number) {
  const line = { t: 'intent', n, host: engine.host.name, boot } as const;
  return scope === undefined ? line : { ...line, scope };
}

async function act(
  home: StepHome,
  code: AnyOperation,
  journal: Journal,
  { n, args, undoData, claims }: Prepared,
): Promise<StepDone> {
  const { host, hasBegun, answers } = noticing(
    changing(
      home.engine,
      journal,
      { n, kind: code.kind, host: home.engine.host.name, boot: home.boot },
      home.stop,
    ),
  );
  let result: unknown = null;
  let witness: string | undefined;
  let after = home.engine;
  try {
    if (!code.defers(undoData)) {
      await expectStillOurs(eachOnce(home.engine), journal, { n, kind: code.kind, claims });
      const self = stepOf(journal.state, n);
      if (code.endsAccess && self !== undefined) await syncOlder(home.engine, journal, self);
      if (code.onlyInOwn && self !== undefined) refuseForeign(journal.state, self);
      if (self !== undefined) await renewIn(home.engine, journal, self);
      result = await code.run({ args, undo: json(undoData), host });
      // Such a step can change the machine by other means than `host`: earlier answers may be out of date.
      after = eachOnce(home.engine, code.actsElsewhere === true ? undefined : answers());
      await expectOurs(code, { undo: undoData, result, host: after.host });
      if (code.content !== undefined && code.content.lost !== 'finished')
        witness = await code.content.witness({ undo: undoData, result, host: after.host });
    }
  } catch (error) {
    if (error instanceof NotDone) append(journal, [{ t: 'undone', n, notOurs: error.found }]);
    // The step changed nothing, so another process created the object, however similar it is.
    else if (!hasBegun() && code.actsElsewhere !== true) append(journal, [{ t: 'undone', n }]);
    else if (error instanceof IdentityTaken) await giveBack(home, journal, n);
    throw error;
  }
  // The witness is on disk before the body continues: recovery needs it to detect writes by others.
  if (witness === undefined) append(journal, [{ t: 'done', n, result }], 'wait');
  else append(journal, [{ t: 'done', n, result, witness }]);
  await renewBeneath(after, code, journal, n);
  return { n, value: code.value({ args, undo: undoData, result }) };
}

/** Refuses a step with `onlyInOwn` if the sequence did not make all of its objects. */
function refuseForeign(state: State, self: Step): void {
  const { steps, index } = state;
  const isMade = (key: string): boolean =>
    (index.makers.get(key) ?? []).some((place) => steps[place]?.undone === undefined);
  const foreign = self.intent.claims?.changes?.find((key) => !isMade(key)) ?? self.intent.within;
  if (foreign === self.intent.within && containerStep(state, self) !== undefined) return;
  throw new RefusedError(
    `${stepName(self.intent.kind)} is undone only when ${keyInWords(self.intent.host, foreign ?? '')} is removed, but this sequence did not create ${keyInWords(self.intent.host, foreign ?? '')}`,
    { remedy: 'create that object in the same sequence' },
  );
}

/**
 * Before a step ends a mount of the sequence, takes new witnesses of the files in it: what was written through the
 * mount counts as written by the sequence.
 */
async function renewIn(engine: Engine, journal: Journal, { n, intent }: Step): Promise<void> {
  const { index, steps } = journal.state;
  for (const key of exclusive(intent.claims ?? {})) {
    if (!ownKey(intent.host, key).startsWith('mnt:')) continue;
    const way = steps[(index.holders.get(key) ?? []).findLast((place) => (steps[place]?.n ?? n) < n) ?? -1];
    if (way?.done === undefined || (await codeOf(engine, way.intent, journal.id)).again === undefined)
      continue;
    const lines = await renewedWitnesses({ engine, journal }, { of: 'files', way });
    if (lines.length > 0) append(journal, lines);
  }
}

/** Takes new witnesses of the objects of older steps that this step wrote to. */
async function renewBeneath(
  engine: Engine,
  { content }: AnyOperation,
  journal: Journal,
  n: number,
): Promise<void> {
  const way = journal.state.steps.find((step) => step.n === n);
  if (way === undefined) return;
  const lines = [...(await renewedWitnesses({ engine, journal }, { of: 'device', way }))];
  // A step that itself listed the files of its container replaces the container's witness.
  const container =
    content?.of === 'files' && way.intent.contains === undefined ? undefined : way.intent.within;
  if (container !== undefined)
    lines.push(...(await renewedWitnesses({ engine, journal }, { of: 'files', way, container })));
  if (lines.length > 0) append(journal, lines, 'wait');
}

/** Looks, because some programs exit 0 without effect. Throws if the effect is missing. */
async function expectOurs(code: AnyOperation, input: Parameters<AnyOperation['look']>[0]): Promise<void> {
  const look = await code.look(input);
  if (look.state === 'ours') return;
  throw new RefusedError(
    `${stepName(code.kind)}: the program reported success, but ${look.found ?? 'its effect cannot be found'}`,
    {
      remedy: 'see the kernel log: dmesg; then run the command again',
    },
  );
}

async function giveBack({ engine }: StepHome, journal: Journal, n: number): Promise<void> {
  const step = journal.state.steps.find((other) => other.n === n);
  if (step === undefined) return;
  const { lines } = await undoNow({ engine, journal, inverses: new Map(), trusted: 'all' }, step, []);
  append(journal, lines);
}
