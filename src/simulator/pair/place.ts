import type { Place } from '../../atomic/index.ts';
import { conflicting } from '../../atomic/journal/state.ts';
import { keysOf } from '../../blockdevice/index.ts';
import type {
  ChangeHost,
  Host,
  ReadHost,
  Reservations,
  Reserving,
  StepContext,
  Taken,
} from '../../command/index.ts';
import type { SimulatedHost } from '../host.ts';
import { cross, type Side } from './link.ts';

/** Returns the other host in the form that the engine uses: every access goes over the link. */
export function placeOver(side: Side, here: SimulatedHost): Place {
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
  const host: Host = { ...reads, during: (step) => changesOver(side, here, reads, over, step.sequence) };
  return {
    host,
    on: (path, asked = host) => keysOf(asked, path),
    reservations: reservationsOver(side, over),
  };
}

function changesOver(
  side: Side,
  here: SimulatedHost,
  reads: ReadHost,
  over: <T>(what: 'change', act: () => Promise<T>) => Promise<T>,
  sequence: StepContext['sequence'],
): ChangeHost {
  const change = <T>(act: (host: ChangeHost) => Promise<T>): Promise<T> =>
    over('change', async () => {
      // A program of a process that recovery has fenced off does not start.
      if (side.reserved.get(sequence?.id ?? '')?.of.token !== sequence?.token)
        throw new Error('the other host has no reservation for this process of the sequence');
      if (side.host.world.boot !== sequence?.boot) throw new Error('it was booted in the middle');
      side.host.world.coordinator = here.world;
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
        for (const act of side.disconnected.splice(0)) await act().catch(() => undefined);
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
    if (key !== undefined) return { key, by: `the sequence ${id}`, remedy: 'see that it ends', sequence: id };
  }
  const own = side.reserved.get(of.id) ?? { of, exclusive: new Set<string>(), shared: new Set<string>() };
  for (const key of exclusive) own.exclusive.add(key);
  for (const key of shared) own.shared.add(key);
  side.reserved.set(of.id, own);
  return undefined;
}
