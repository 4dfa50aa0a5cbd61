import type { Reserving } from '../../command/index.ts';
import { CommandError, ConnectionError } from '../../core/errors.ts';
import { ProcessKilled } from '../faults/faults.ts';
import type { SimulatedHost } from '../host.ts';
import type { Keep } from '../faults/power-cut.ts';

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
  /** The program there continues, and ends when a caller waits for it. */
  | 'cut while it runs'
  /** Nothing of DRBD goes over from here on, and all else does. */
  | 'replication cut'
  /** The other host rebooted meanwhile, unnoticed here. */
  | 'booted there'
  /** The power of the other host fails. */
  | 'power cut there before'
  | 'power cut there after'
  /** The process here is killed. */
  | 'killed here before'
  | 'killed here after';

/** One end of the link, and what became of it. */
export interface Side {
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

/** Something goes over the link, and meets the fault that is laid for it. */
export async function cross<T>(
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

/** Whether it succeeds there stays unknown. */
async function settled(act: () => Promise<unknown>): Promise<void> {
  await act().catch(() => undefined);
}

function failure(): CommandError {
  return new CommandError({ tool: 'sh', argv: [], reason: 'unknown', what: 'made to fail', exitCode: 1 });
}

function away({ name }: Side, connection: 'none' | 'lost'): ConnectionError {
  return new ConnectionError(`${name} cannot be reached`, { host: name, connection });
}
