import {
  everyHolder,
  holders,
  inWords,
  probe,
  recognise,
  refusePartitioned,
  remedyFor,
  type Signature,
} from '../blockdevice/index.ts';
import type { KeyRef, ReadHost } from '../command/index.ts';
import { type Holder, RefusedError } from '../errors.ts';

/** What is there and may be lost: its uuid, or, when it has none, its type. */
export interface Overwrite {
  readonly uuid?: string | undefined;
  readonly type?: string | undefined;
}

/** What a device holds, in words: `ext4 "root", uuid 1234…`. */
export function contentInWords(found: Signature | undefined): string {
  if (found === undefined) return 'nothing';
  if (found.usage === 'ambivalent') return 'several signatures, and blkid cannot tell which one counts';
  const what = found.usage === 'partition-table' ? `a partition table (${found.type})` : found.type;
  const label = found.label === undefined ? '' : ` "${found.label}"`;
  const beside = found.ptType === undefined ? '' : ` and a partition table (${found.ptType})`;
  return `${what}${label}${found.uuid === undefined ? '' : `, uuid ${found.uuid}`}${beside}`;
}

/** Is it the same content? */
export function sameContent(one: Signature | undefined, other: Signature | undefined): boolean {
  const keys = ['type', 'usage', 'uuid', 'label', 'ptType'] as const;
  return keys.every((key) => one?.[key] === other?.[key]);
}

/**
 * What a device holds that nobody uses: nothing, or exactly what `overwrite` names. Everything else is a RefusedError.
 * Under the locks a blank one is also read, for blkid calls one blank that gives nothing but I/O errors.
 */
export async function replaceable(
  host: ReadHost,
  {
    device,
    overwrite,
    when,
  }: {
    readonly device: string;
    readonly overwrite: Overwrite | undefined;
    readonly when: 'before the locks' | 'under the locks';
  },
): Promise<Signature | undefined> {
  await refuseHeld(host, device, await holders(host, device));
  const found = await (when === 'under the locks' ? probe : recognise)(host, device);
  await refusePartitioned(host, { device, found });
  refuseOther(device, found, overwrite);
  return found;
}

function refuseOther(device: string, found: Signature | undefined, overwrite: Overwrite | undefined): void {
  if (found === undefined) {
    if (overwrite === undefined) return;
    throw new RefusedError(`${device} is blank: what overwrite names is not there`, {
      remedy: 'leave overwrite out',
    });
  }
  const holds = `${device} holds ${contentInWords(found)}; nothing was written`;
  if (found.usage === 'ambivalent' || found.ptType !== undefined)
    throw new RefusedError(holds, { remedy: `look at it with wipefs ${device}, and wipe it yourself` });
  const named = found.uuid === undefined ? { type: found.type } : { uuid: found.uuid };
  const remedy = `to lose it, name it: overwrite ${JSON.stringify(named)}`;
  if (overwrite === undefined) throw new RefusedError(holds, { remedy });
  const right = overwrite.uuid === found.uuid && (overwrite.type ?? found.type) === found.type;
  if (!right) throw new RefusedError(`${holds}, because overwrite names something else`, { remedy });
}

/** RefusedError that names everybody who uses the device, once somebody is known to. */
export async function refuseHeld(host: ReadHost, device: string, who: readonly Holder[]): Promise<void> {
  if (who.length === 0) return;
  const all = await everyHolder(host, device);
  throw new RefusedError(`${device} is in use: ${inWords(all)}`, { remedy: remedyFor(all), holders: all });
}

/** RefusedError where it is plain beforehand that there will be no key. What only a fetch would tell, is seen then. */
export async function checkKey(host: ReadHost, key: KeyRef): Promise<void> {
  if (key.from !== 'file') return;
  const stat = await host.stat(key.path);
  if (stat?.kind === 'symlink' || (stat?.kind === 'file' && stat.size > 0)) return;
  const why =
    stat === undefined ? 'there is no such file' : stat.kind === 'file' ? 'it is empty' : 'it is no file';
  throw new RefusedError(`there is no key in ${key.path}: ${why}`, { remedy: 'say where the key is' });
}
