import { BofhError, InterruptedError, RolledBackError, StuckError } from '../core/errors.ts';
import { formatSize } from '../core/units.ts';
import { inShell, type KeyRef, keyRefText, type ReadHost } from '../command/index.ts';
import { lagging } from '../stack/lagging.ts';
import type { GrowPlan } from './grow.ts';

/** A replicated disk that has grown, in a sequence of its own, before the layers on it. */
interface Grown {
  readonly grow: GrowPlan;
  /** `/dev/drbd0` */
  readonly path: string;
}

/** The command that grows the layers on the disk to its new size. */
function finishing({ grow, path }: Grown, key?: KeyRef): string {
  const with_ = key === undefined ? '' : ` --key ${inShell(keyRefText(key))}`;
  return `bofh block resize ${path} ${String(grow.to)}b${with_}`;
}

/**
 * The name of the sequence that grows the disk. Recovery finishes only this sequence and shows its name, so
 * the name contains the command for the rest.
 */
export function nameOfGrow(of: Grown): string {
  return `drbd grow ${of.grow.name} (what is on it grows next; if interrupted: ${finishing(of)})`;
}

/** Parses such a name: the disk that the sequence has grown, and the command that finishes the rest. */
export function grownBy(
  name: string,
): { readonly resource: string; readonly path: string; readonly command: readonly string[] } | undefined {
  const groups =
    /^drbd grow (?<resource>\S+) \(what is on it grows next; if interrupted: (?<command>bofh block resize (?<path>\/\S+) \d+b)\)$/.exec(
      name,
    )?.groups;
  const { resource = '', path = '', command = '' } = groups ?? {};
  return groups === undefined ? undefined : { resource, path, command: command.split(' ') };
}

/**
 * The error if the layers on a disk did not grow with it: which layers have the new size, which have the old
 * one, and the command that finishes. After a StuckError, that command is for the time after the recovery.
 */
export async function notFollowed(
  { host, key, ...of }: Grown & { readonly host: ReadHost; readonly key?: KeyRef },
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof BofhError)) return error;
  const { grow, path } = of;
  const larger = [
    ...grow.hosts.map(
      ({ vg, lv, name }) => `the logical volume ${vg}/${lv} on ${name} (${formatSize(grow.lvSize)})`,
    ),
    `the DRBD device ${path} (${formatSize(grow.to)})`,
  ].join(', ');
  const left = await lagging(host, path).catch((thrown: unknown) => {
    if (thrown instanceof BofhError) return [];
    throw thrown;
  });
  const unknown = error instanceof StuckError ? 'the rest: see its journal' : 'the old size: what is on it';
  const old = left.length === 0 ? unknown : `the old size: ${left.join(', ')}`;
  const message = `${error.message}. These have the new size: ${larger}; ${old}`;
  const first = error.remedy === undefined ? '' : `${error.remedy}; then, `;
  const details = {
    remedy: `${first}to finish: ${finishing(of, key)}`,
    stays: `changed: ${larger}, which cannot shrink again; what is on it is as before`,
  };
  if (error instanceof StuckError) {
    const { id, committed, value, done, undone, blocked, remaining, leftUntouched, cause } = error;
    const steps = { done, undone, blocked, remaining, leftUntouched };
    return new StuckError(message, { id, committed, value, ...steps, cause, remedy: details.remedy });
  }
  if (error instanceof InterruptedError) {
    const { id, undone, reason, code, cause } = error;
    return new InterruptedError(message, { id, undone, reason, code, cause, ...details });
  }
  if (!(error instanceof RolledBackError)) return new RolledBackError(message, { cause: error, ...details });
  const { id, undone, leftUntouched, failed, failedOn, cause } = error;
  return new RolledBackError(message, { id, undone, leftUntouched, failed, failedOn, cause, ...details });
}
