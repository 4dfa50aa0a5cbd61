import type { Place } from '../atomic/index.ts';
import { conflicting } from '../atomic/state.ts';
import { keysOf } from '../blockdevice/index.ts';
import type { Bofh } from '../bofh.ts';
import type {
  ChangeHost,
  Host,
  ReadHost,
  Reservations,
  Reserving,
  StepContext,
  Taken,
} from '../command/index.ts';
import { CommandError, ConnectionError } from '../errors.ts';
import { simulatedBofh } from './bofh.ts';
import { linkDrbd } from './drbd-link.ts';
import { ProcessKilled } from './faults.ts';
import { simulatedHost, type SimulatedHost } from './host.ts';
import type { Keep } from './power.ts';

/** What can happen when something goes over the link to the other host. */
export type LinkFault =
  /** It fails there at once. */
  | 'fails there'
  /** It is done there, and reported as a failure. */
  | 'acts there, then fails'
  /** Nothing goes over from here on. */
  | 'cut before'
  /** It is done there, and the answer does not come back. */
  | 'cut after'
  /** The program there goes on, and ends when somebody waits for it. */
  | 'cut while it runs'
  /** Nothing of DRBD goes over from here on, and all else does. */
  | 'replication cut'
  /** The other host was booted meanwhile, and nobody here has seen it away. */
  | 'booted there'
  /** The power of the other host fails. */
  | 'power cut there before'
  | 'power cut there after'
  /** The process here is killed. */
  | 'killed here before'
  | 'killed here after';

/** The other host, and the link to it. */
export interface Peer {
  /** As it is now; after a boot another one. */
  readonly host: () => SimulatedHost;
  /** What has gone over so far: a question, a change, or something about the reservation. */
  readonly crossings: readonly ('read' | 'change' | 'reservation')[];
  /** At the `n`-th crossing from now on, counted from 1. */
  readonly fault: (n: number, fault: LinkFault, keep?: Keep) => void;
  readonly cut: () => void;
  /** Of DRBD alone, as when each has a cable of its own. */
  readonly cutReplication: () => void;
  readonly mend: () => void;
  /** Ids of the sequences that it is reserved for. */
  readonly reserved: () => readonly string[];
}

interface Side {
  /** By which bofh reaches it. */
  readonly name: string;
  host: SimulatedHost;
  readonly crossings: ('read' | 'change' | 'reservation')[];
  fault: { readonly at: number; readonly what: LinkFault; readonly keep: Keep } | undefined;
  isCut: boolean;
  isReplicationCut: boolean;
  /** Programs to which the connection was lost. */
  adrift: (() => Promise<unknown>)[];
  /** On its disk. */
  readonly reserved: Map<
    string,
    { readonly of: Reserving; readonly exclusive: Set<string>; readonly shared: Set<string> }
  >;
}

/**
 * Two hosts in memory: a `Bofh` on one of them, to which the other is known as `there`, and further ones by their keys in `others`.
 * `again` is bofh on the same hosts in another process, or after a boot.
 */
export function simulatedPair(
  options: {
    readonly here?: SimulatedHost;
    readonly there?: SimulatedHost;
    readonly others?: Readonly<Record<string, SimulatedHost>>;
  } = {},
): {
  readonly here: Bofh;
  readonly there: Peer;
  readonly others: Readonly<Record<string, Peer>>;
  readonly again: (here: SimulatedHost) => Bofh;
} {
  const { here = simulatedHost(), there = simulatedHost(), others = {} } = options;
  const side = sideOf('there', there);
  const more = Object.entries(others).map(([name, host]) => sideOf(name, host));
  const sides = [side, ...more];
  // The same cable, until that of DRBD alone is cut.
  for (const each of sides)
    linkDrbd(here.world, each.host.world, () => !each.isCut && !each.isReplicationCut);
  const again = (host: SimulatedHost): Bofh => {
    const bofh = simulatedBofh({ host });
    const places = new Map(sides.map((each) => [each.name, placeOver(each, host)]));
    return { ...bofh, engine: { ...bofh.engine, place: (name) => places.get(name) } };
  };
  return {
    ...{ here: again(here), there: peerOf(side), again },
    others: Object.fromEntries(more.map((each) => [each.name, peerOf(each)])),
  };
}

function sideOf(name: string, host: SimulatedHost): Side {
  return {
    ...{ name, host, crossings: [], fault: undefined, adrift: [] },
    ...{ isCut: false, isReplicationCut: false },
    reserved: new Map(),
  };
}

function peerOf(side: Side): Peer {
  return {
    host: () => side.host,
    crossings: side.crossings,
    fault: (n, what, keep = 'none') => {
      side.fault = { at: side.crossings.length + n, what, keep };
    },
    cut: () => {
      side.isCut = true;
    },
    cutReplication: () => {
      side.isReplicationCut = true;
    },
    mend: () => {
      side.isCut = false;
      side.isReplicationCut = false;
      side.fault = undefined;
    },
    reserved: () => [...side.reserved.keys()],
  };
}

function placeOver(side: Side, here: SimulatedHost): Place {
  const over = <T>(what: 'read' | 'change' | 'reservation', act: () => Promise<T>): Promise<T> =>
    cross(side, here, what, act);
  const reads: ReadHost = {
    name: side.name,
    run: (command) => over('read', () => side.host.run(command)),
    readFile: (path) => over('read', () => side.host.readFile(path)),
    readDir: (path) => over('read', () => side.host.readDir(path)),
    readLink: (path) => over('read', () => side.host.readLink(path)),
    stat: (path) => over('read', () => side.host.stat(path)),
    facts: () => over('read', () => side.host.facts()),
  };
  const host: Host = { ...reads, during: (step) => changesOver(side, reads, over, step.sequence) };
  return { host, on: (path) => keysOf(host, path), reservations: reservationsOver(side, over) };
}

function changesOver(
  side: Side,
  reads: ReadHost,
  over: <T>(what: 'change', act: () => Promise<T>) => Promise<T>,
  sequence: StepContext['sequence'],
): ChangeHost {
  const change = <T>(act: (host: ChangeHost) => Promise<T>): Promise<T> =>
    over('change', async () => {
      // What was sent by a process that has been fenced off is not begun.
      if (side.reserved.get(sequence?.id ?? '')?.of.token !== sequence?.token)
        throw new Error('there it is not reserved for this sequence');
      if (side.host.world.boot !== sequence?.boot) throw new Error('it was booted in the middle');
      return act(side.host.during({ outputs: '/nowhere', lock: -1 }));
    });
  return {
    ...reads,
    run: (command) =>
      command.access === 'read' ? reads.run(command as never) : change((host) => host.run(command)),
    pipe: (pipeline) => change((host) => host.pipe(pipeline)),
    writeNew: (path, content, mode) => change((host) => host.writeNew(path, content, mode)),
    link: (from, to) => change((host) => host.link(from, to)),
    rename: (from, to) => change((host) => host.rename(from, to)),
    removeFile: (path) => change((host) => host.removeFile(path)),
    makeDir: (path, mode) => change((host) => host.makeDir(path, mode)),
    removeDir: (path) => change((host) => host.removeDir(path)),
    sync: (path) => change((host) => host.sync(path)),
  };
}

function reservationsOver(
  side: Side,
  over: <T>(what: 'reservation', act: () => Promise<T>) => Promise<T>,
): Reservations {
  return {
    journals: '/var/lib/bofh/journal',
    reach: null,
    reserve: (of, keys) => over('reservation', async () => reserve(side, of, keys)),
    fence: (of) =>
      over('reservation', async () => {
        for (const act of side.adrift.splice(0)) await act().catch(() => undefined);
        const had = side.reserved.get(of.id);
        if (had === undefined) return 'missing';
        side.reserved.set(of.id, { ...had, of });
        return 'fenced';
      }),
    release: (id) =>
      over('reservation', async () => {
        side.reserved.delete(id);
      }),
  };
}

function reserve(
  side: Side,
  of: Reserving,
  { exclusive, shared }: Parameters<Reservations['reserve']>[1],
): Taken | undefined {
  for (const [id, other] of side.reserved) {
    const claims = { makes: [...other.exclusive], needs: [...other.shared] };
    const key = id === of.id ? undefined : conflicting(claims, { makes: exclusive, needs: shared });
    if (key !== undefined) return { key, by: `the sequence ${id}`, remedy: 'see that it ends' };
  }
  const own = side.reserved.get(of.id) ?? { of, exclusive: new Set<string>(), shared: new Set<string>() };
  for (const key of exclusive) own.exclusive.add(key);
  for (const key of shared) own.shared.add(key);
  side.reserved.set(of.id, own);
  return undefined;
}

async function cross<T>(
  side: Side,
  here: SimulatedHost,
  what: 'read' | 'change' | 'reservation',
  act: () => Promise<T>,
): Promise<T> {
  if (!here.process.alive) throw new ProcessKilled();
  if (side.isCut) throw away(side, 'none');
  side.crossings.push(what);
  const fault = side.fault?.at === side.crossings.length ? side.fault : undefined;
  switch (fault?.what) {
    case undefined:
      return await act();
    case 'acts there, then fails':
      await settled(act);
      throw failure();
    case 'fails there':
      throw failure();
    case 'booted there':
      side.host = side.host.powerCut({ keep: fault.keep });
      return await act();
    case 'cut before':
      side.isCut = true;
      throw away(side, 'none');
    case 'cut after':
      await settled(act);
      side.isCut = true;
      throw away(side, 'lost');
    case 'cut while it runs':
      if (what === 'change') side.adrift.push(act);
      side.isCut = true;
      throw away(side, 'lost');
    case 'replication cut':
      side.isReplicationCut = true;
      return await act();
    case 'power cut there before':
    case 'power cut there after':
      if (fault.what === 'power cut there after') await settled(act);
      side.isCut = true;
      side.adrift = [];
      side.host = side.host.powerCut({ keep: fault.keep });
      throw away(side, 'lost');
    case 'killed here before':
    case 'killed here after':
      if (fault.what === 'killed here after') await settled(act);
      here.kill();
      throw new ProcessKilled();
  }
}

/** Whether it succeeds there, nobody is told. */
async function settled(act: () => Promise<unknown>): Promise<void> {
  await act().catch(() => undefined);
}

function failure(): CommandError {
  return new CommandError({ tool: 'sh', argv: [], reason: 'unknown', what: 'made to fail', exitCode: 1 });
}

function away({ name }: Side, connection: 'none' | 'lost'): ConnectionError {
  return new ConnectionError(`${name} cannot be reached`, { host: name, connection });
}
