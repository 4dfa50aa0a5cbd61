import type { Reserving } from '../../command/index.ts';
import { CommandError, ConnectionError } from '../../core/errors.ts';
import { ProcessKilled } from '../faults/faults.ts';
import type { SimulatedHost } from '../host.ts';
import type { Keep } from '../faults/power-cut.ts';

/** A fault of an access to the other host over the link. */
export type LinkFault =
  /** The access fails at once on the other host. */
  | 'fails there'
  /** The access takes effect there, and is reported as a failure. */
  | 'acts there, then fails'
  /** The link is cut before the access. */
  | 'cut before'
  /** The access takes effect there, but the link is cut before the answer. */
  | 'cut after'
  /** The program there continues, and ends when a caller waits for it. */
  | 'cut while it runs'
  /** Only DRBD is cut off from here on. */
  | 'replication cut'
  /** The other host rebooted meanwhile, unnoticed by this host. */
  | 'booted there'
  /** The power of the other host fails. */
  | 'power cut there before'
  | 'power cut there after'
  /** The process here is killed. */
  | 'killed here before'
  | 'killed here after';

/** One end of the link, and its state. */
export interface Side {
  /** The name by which bofh reaches the host. */
  readonly name: string;
  host: SimulatedHost;
  readonly crossings: ('read' | 'change' | 'reservation')[];
  fault: { readonly at: number; readonly what: LinkFault; readonly keep: Keep } | undefined;
  isCut: boolean;
  isReplicationCut: boolean;
  /** Programs whose connection was lost, and which have not ended. */
  disconnected: (() => Promise<unknown>)[];
  /** Reservations on its disk. */
  readonly reserved: Map<
    string,
    { readonly of: Reserving; readonly exclusive: Set<string>; readonly shared: Set<string> }
  >;
}

/** Makes an access over the link; a fault that was set for it applies. */
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
      if (what === 'change') side.disconnected.push(act);
      side.isCut = true;
      throw away(side, 'lost');
    case 'replication cut':
      side.isReplicationCut = true;
      return await act();
    case 'power cut there before':
    case 'power cut there after':
      if (fault.what === 'power cut there after') await settled(act);
      side.isCut = true;
      side.disconnected = [];
      side.host = side.host.powerCut({ keep: fault.keep });
      throw away(side, 'lost');
    case 'killed here before':
    case 'killed here after':
      if (fault.what === 'killed here after') await settled(act);
      here.kill();
      throw new ProcessKilled();
  }
}

/** Waits for an act whose result stays unknown. */
async function settled(act: () => Promise<unknown>): Promise<void> {
  await act().catch(() => undefined);
}

function failure(): CommandError {
  return new CommandError({ tool: 'sh', argv: [], reason: 'unknown', what: 'made to fail', exitCode: 1 });
}

function away({ name }: Side, connection: 'none' | 'lost'): ConnectionError {
  return new ConnectionError(`${name} cannot be reached`, { host: name, connection });
}
