import { openJournals, recover, removeJournalLeftovers } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Bofh } from '../../../src/connect.ts';
import { StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import {
  simulatedPair,
  type LinkFault,
  type Peer,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';
import { differences, stateOf, uuidsIn } from '../../../src/simulator/matrix/judge.ts';
import { endingOf, fateOf, next, type Ending, type Then } from '../../../src/simulator/matrix/trial.ts';
import { neighbourhood } from './stage.ts';

/** What is done on both hosts, as one sequence. */
export type Act = (tx: Tx, bofh: Bofh) => Promise<unknown>;

/** One thing that goes wrong between two hosts. */
export interface Trouble {
  /** At the which crossing of the link. */
  readonly at: number;
  readonly fault: LinkFault;
  readonly keep?: 'none' | 'all';
  /** What becomes of the coordinator before recovery. */
  readonly then: Then;
  readonly ends: 'well' | 'badly';
}

export interface TwoTried {
  readonly ended: 'before' | 'after' | 'neither';
  readonly why: string;
}

export interface Made {
  readonly act: Act;
  readonly prepare?: (here: SimulatedHost, there: SimulatedHost) => void;
  /** Missing: two that are full of other people's things. */
  readonly hosts?: () => readonly [here: SimulatedHost, there: SimulatedHost, gamma?: SimulatedHost];
  /** At whose link something goes wrong. Default: `there`. */
  readonly at?: 'there' | 'gamma';
  /** What must never be, whatever went wrong, before recovery or after it; in words. */
  readonly never?: (hosts: readonly SimulatedHost[]) => string | undefined;
  /** What an administrator does after a boot with what was made, so that what is left to do after the commit can be done. */
  readonly heal?: (host: SimulatedHost) => void;
}

function pair({ prepare, hosts, at = 'there' }: Made) {
  const [here, there, gamma] = hosts?.() ?? [neighbourhood(), neighbourhood()];
  prepare?.(here, there);
  const made = simulatedPair({
    here,
    // Its boot is another one than that of the first host.
    there: hosts === undefined ? there.reboot() : there,
    ...(gamma === undefined ? {} : { others: { gamma } }),
  });
  const peers = new Map<string, Peer>([['there', made.there], ...Object.entries(made.others)]);
  const faulty = peers.get(at);
  if (faulty === undefined) throw new TypeError(`there is no host ${at}`);
  return { ...made, here, faulty, peers: [...peers.values()] };
}

/**
 * The crossings of an undisturbed run at which something can go wrong: each change and each word about a reservation, and the
 * first question after it, for which all until the next are alike. Of one that ends badly those after its body.
 */
export async function crossings(made: Made, ends: Trouble['ends']): Promise<readonly number[]> {
  const { here, again, faulty } = pair(made);
  let body = 0;
  const act: Act = async (tx, bofh) => {
    await made.act(tx, bofh);
    body = faulty.crossings.length;
  };
  const ending = await run(here, again(here), act, ends);
  if ((ending.how === 'done') !== (ends === 'well'))
    throw ending.how === 'thrown' ? ending.error : new Error(ending.how);
  const from = ends === 'well' ? 0 : body;
  return faulty.crossings.flatMap((what, i) =>
    i >= from && (what !== 'read' || faulty.crossings[i - 1] !== 'read') ? [i + 1] : [],
  );
}

/** What DRBD calls metadata is drawn at random as well, and whether it has found its peer depends on whether that one was booted. */
function told(host: SimulatedHost, known: ReadonlySet<string>): string {
  return stateOf(host, known)
    .replaceAll(/(?<=holds drbd )[0-9a-f]{16}\b/g, 'UUID')
    .replaceAll(/(?<=\bdrbd \S+ \w+ )Connect(?:ed|ing)\b/g, 'looks for its peer');
}

/** All hosts with nothing, or all of it, done, as texts: that of the coordinator first. */
export interface Reference {
  readonly known: ReadonlySet<string>;
  readonly texts: (fate: 'before' | 'after', trouble: Pick<Trouble, 'then' | 'fault'>) => readonly string[];
}

export async function referenceOf(made: Made): Promise<Reference> {
  const blank = pair(made);
  const known = new Set(
    [blank.here, ...blank.peers.map((each) => each.host())].flatMap((host) => [...uuidsIn(host.snapshot())]),
  );
  const done = pair(made);
  const ending = await run(done.here, done.again(done.here), made.act, 'well');
  if (ending.how !== 'done') throw ending.how === 'thrown' ? ending.error : new Error('it died');
  const [nothing, all] = [blank, done].map(({ here, peers, faulty }) => {
    const hosts = [here, ...peers.map((each) => each.host())];
    const as = hosts.map((host) => told(host, known));
    // What a boot changes by itself, on any.
    const booted = hosts.map((host) => {
      const later = host.reboot();
      made.heal?.(later);
      return told(later, known);
    });
    return { as, booted, at: peers.indexOf(faulty) + 1 };
  });
  if (nothing === undefined || all === undefined) throw new TypeError('two pairs were made');
  return {
    known,
    texts: (fate, { then, fault }) => {
      const { as, booted, at } = fate === 'before' ? nothing : all;
      const isBooted = (nth: number): boolean =>
        nth === 0 ? then !== 'restart' : nth === at && /power cut|booted/.test(fault);
      return as.map((text, nth) => (isBooted(nth) ? (booted[nth] ?? '') : text));
    },
  };
}

/** One trial: afterwards all hosts are as before, or all as after, and nothing is reserved. */
export async function tryOnTwo(made: Made, of: Reference, trouble: Trouble): Promise<TwoTried> {
  const { here, faulty, peers, again } = pair(made);
  const isReserved = (): boolean => peers.some((each) => each.reserved().length > 0);
  faulty.fault(trouble.at, trouble.fault, trouble.keep);
  const ending = await run(here, again(here), made.act, trouble.ends);
  const never = made.never?.([here, ...peers.map((each) => each.host())]);
  if (never !== undefined) return neither(`before recovery ${never}`);
  if (here.process.alive && isReserved() && (await open(again(here))) === 0)
    return neither('its journal is closed, and something is still reserved there');
  faulty.mend();
  const later = next(here, trouble.then);
  const bofh = again(later);
  const fate = ending.how === 'done' ? 'after' : fateOf(later);
  const recoverAll = (): Promise<Ending> =>
    endingOf(later, async () => {
      await removeJournalLeftovers(bofh.engine);
      for (const { id } of await openJournals(bofh.engine))
        await recover(id, { engine: bofh.engine, yes: true });
    });
  const first = await recoverAll();
  for (const host of [later, ...peers.map((each) => each.host())]) made.heal?.(host);
  const isStuck = first.how === 'thrown' && first.error instanceof StuckError && made.heal !== undefined;
  const recovered = isStuck ? await recoverAll() : first;
  if (recovered.how !== 'done')
    return neither(
      `recovery ended by ${recovered.how === 'thrown' ? String(recovered.error) : recovered.how}`,
    );
  if (isReserved()) return neither('something is still reserved there');
  if ((await open(bofh)) > 0) return neither('a journal is still open');
  const now = [later, ...peers.map((each) => each.host())].map((host) => told(host, of.known));
  // Booted before or after what lives until a boot was made.
  const either =
    trouble.fault === 'booted there' ? [trouble, { ...trouble, fault: 'cut before' as const }] : [trouble];
  const lefts = either.map((each) => of.texts(fate, each).flatMap((as, i) => differences(as, now[i] ?? '')));
  const left = lefts.find((each) => each.length === 0) ?? lefts[0] ?? [];
  return left.length > 0 ? neither(`not as ${fate}:\n   ${left.join('\n   ')}`) : { ended: fate, why: '' };
}

function neither(why: string): TwoTried {
  return { ended: 'neither', why };
}

async function open({ engine }: Bofh): Promise<number> {
  return (await openJournals(engine)).length;
}

async function run(here: SimulatedHost, bofh: Bofh, act: Act, ends: Trouble['ends']): Promise<Ending> {
  return endingOf(here, () =>
    withBofh(bofh, () =>
      atomic('trial', async (tx) => {
        await act(tx, bofh);
        if (ends === 'badly') throw new Error('the script failed');
      }),
    ),
  );
}
