import {
  everyHolder,
  holders,
  inWords,
  probe,
  recognise,
  refusePartitioned,
  remedyFor,
  type Signature,
  size,
} from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { type Holder, RefusedError, UsageError } from '../errors.ts';
import { formatSize } from '../units.ts';
import type { CreateArgs } from './schema.ts';
import { checkLabel, checkOptions, checkUuid, rules } from './types.ts';

/** What can be refused without looking at the host. */
export function checkArgs(args: CreateArgs): void {
  if (args.label !== undefined) checkLabel(args.type, args.label);
  if (args.uuid !== undefined) checkUuid(args.type, args.uuid);
  checkOptions(args.type, args.options ?? {});
  const { overwrite } = args;
  checkOverwrite(overwrite);
  if (args.uuid !== undefined && args.uuid === overwrite?.uuid) {
    throw new UsageError('the new filesystem must not have the uuid of the one that it overwrites');
  }
}

/** UsageError for one that names nothing. */
export function checkOverwrite(overwrite: CreateArgs['overwrite']): void {
  if (overwrite !== undefined && overwrite.uuid === undefined && overwrite.type === undefined)
    throw new UsageError('overwrite must name what may be lost, by its uuid or its type');
}

/**
 * Refuses a device that is held, too small, or holds what `overwrite` does not name. Answers what it holds. That a
 * blank one can be read is seen at the look that counts, under the locks.
 */
export async function checkDevice(
  host: ReadHost,
  {
    args,
    when,
  }: {
    readonly args: Pick<CreateArgs, 'device' | 'type' | 'overwrite'>;
    readonly when: 'before the locks' | 'under the locks';
  },
): Promise<Signature | undefined> {
  const { device, type } = args;
  await refuseHeld(host, device, await holders(host, device));
  const bytes = await size(host, device);
  const { smallest, why } = rules[type];
  if (bytes < smallest) {
    throw new RefusedError(
      `${device} has ${formatSize(bytes)}; ${type} needs ${formatSize(smallest)}: ${why}`,
      { remedy: 'take a larger device, or another type' },
    );
  }
  return checkReplaceable(host, { ...args, when });
}

/** Refuses a device that holds what `overwrite` does not name, and answers what it holds. */
export async function checkReplaceable(
  host: ReadHost,
  asked: Pick<CreateArgs, 'device' | 'overwrite'> & { readonly when: 'before the locks' | 'under the locks' },
): Promise<Signature | undefined> {
  const { device, when } = asked;
  const found = await (when === 'under the locks' ? probe : recognise)(host, device);
  await refusePartitioned(host, { device, found });
  refuseContent(asked, found);
  return found;
}

/** RefusedError that names everybody who uses the device, once somebody is known to. */
export async function refuseHeld(host: ReadHost, device: string, who: readonly Holder[]): Promise<void> {
  if (who.length === 0) return;
  const all = await everyHolder(host, device);
  throw new RefusedError(`${device} is in use: ${inWords(all)}`, { remedy: remedyFor(all), holders: all });
}

/** Is what a device holds the same as before, as far as it can be recognised? */
export function sameSignature(one: Signature | undefined, other: Signature | undefined): boolean {
  const keys = ['type', 'usage', 'uuid', 'label', 'ptType'] as const;
  return keys.every((key) => one?.[key] === other?.[key]);
}

/** A signature in words: `ext4 "root", uuid 1234…`. */
export function describe(found: Signature | undefined): string {
  if (found === undefined) return 'nothing';
  if (found.usage === 'ambivalent') return 'several signatures, and blkid cannot tell which one counts';
  const what = found.usage === 'partition-table' ? `a partition table (${found.type})` : found.type;
  const label = found.label === undefined ? '' : ` "${found.label}"`;
  const beside = found.ptType === undefined ? '' : ` and a partition table (${found.ptType})`;
  return `${what}${label}${found.uuid === undefined ? '' : `, uuid ${found.uuid}`}${beside}`;
}

function refuseContent(
  { device, overwrite }: Pick<CreateArgs, 'device' | 'overwrite'>,
  found: Signature | undefined,
): void {
  if (found === undefined) {
    if (overwrite === undefined) return;
    throw new RefusedError(`${device} is blank: what overwrite names is not there`, {
      remedy: 'leave overwrite out',
    });
  }
  const holds = `${device} holds ${describe(found)}; nothing was written`;
  if (found.usage === 'ambivalent' || found.ptType !== undefined) {
    throw new RefusedError(holds, { remedy: `look at it with wipefs ${device}, and wipe it yourself` });
  }
  const named = found.uuid === undefined ? { type: found.type } : { uuid: found.uuid };
  const remedy = `to lose it, name it: overwrite ${JSON.stringify(named)}`;
  if (overwrite === undefined) throw new RefusedError(holds, { remedy });
  const right = overwrite.uuid === found.uuid && (overwrite.type ?? found.type) === found.type;
  if (!right) throw new RefusedError(`${holds}, because overwrite names something else`, { remedy });
}
