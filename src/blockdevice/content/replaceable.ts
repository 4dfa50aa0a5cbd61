import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { holders } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import { identityOf } from '../keys.ts';
import { deviceNode } from '../node.ts';
import { hasTable, refusePartitioned } from '../partitions/reads.ts';
import { probe, recognise } from '../probe.ts';
import type { Signature } from '../schema.ts';
import { magicsOn } from '../wipe/commands.ts';
import { refuseLeft } from '../wipe/contents.ts';
import { pvType, refuseMember } from './member.ts';
import { type Overwrite, refuseOther } from './overwrite.ts';
import { refuseStream } from './stream.ts';
import { refuseWriteProtected } from '../write-protected.ts';
import { refuseUnseen } from './unseen.ts';
import { contentInWords, sameContent } from './words.ts';

/**
 * Returns the content of an unused device that may be replaced: none, or exactly what `overwrite`
 * names. RefusedError for any other content, and for a device that has partitions or is in a
 * volume group, even if `overwrite` names that. Every operation that formats a whole device calls
 * this, and wipes the signature before it writes.
 */
export async function replaceable(
  host: ReadHost,
  asked: {
    readonly device: string;
    readonly overwrite: Overwrite | undefined;
    /**
     * Under the locks a blank device is read as well, because blkid reports a device with only I/O
     * errors as blank.
     */
    readonly when: 'before the locks' | 'under the locks';
    /**
     * Treatment of a partition table without partitions (default: it may be overwritten if
     * `overwrite` names it).
     */
    readonly emptyTable?: 'by name' | 'refused';
    /**
     * Treatment of a btrfs stream, which blkid does not recognise (default: refused); `known`: the
     * caller has looked for a stream itself.
     */
    readonly stream?: 'refused' | 'known';
    /**
     * More checks of the device, which throw RefusedError. They come before the check of the
     * content: otherwise users would have to name the content of a device that is refused anyway.
     */
    readonly unfit?: () => Promise<void>;
  },
): Promise<Signature | undefined> {
  const { device, overwrite, when, emptyTable = 'by name', stream = 'refused', unfit } = asked;
  await refuseHeld(host, device, await holders(host, device));
  await refuseWriteProtected(host, device);
  await unfit?.();
  const found = await (when === 'under the locks' ? probe : recognise)(host, device);
  await refusePartitioned(host, { device, found });
  if (found?.type === pvType && found.uuid !== undefined)
    await refuseMember(host, { device, uuid: found.uuid, unseen: 'refused', done: 'written' });
  if (found === undefined && (overwrite !== undefined || when === 'under the locks'))
    await refuseUnseen(host, device, 'written');
  refuseOther(device, { found, overwrite, emptyTable });
  if (found === undefined && stream === 'refused' && when === 'under the locks')
    await refuseStream(host, device);
  if (hasTable(found))
    refuseLeft(device, { found, magics: await host.run(magicsOn((await deviceNode(host, device)).path)) });
  return found;
}

/**
 * Checks device and content for the last time before data is lost, because another process may have
 * written since the first check. Does not check again that the device can be read: `replaceable`
 * did under the locks.
 */
export async function refuseChanged(
  host: ReadHost,
  of: { readonly device: string; readonly identity: string; readonly before: Signature | null },
): Promise<void> {
  const { device, identity, before } = of;
  if ((await identityOf(host, device)).identity !== identity)
    throw new RefusedError(`${device} now names a different device; nothing was written`, {
      remedy: `see what it is: lsblk ${device}; then run the command again`,
    });
  await refuseHeld(host, device, await holders(host, device));
  const now = await recognise(host, device);
  if (!sameContent(now, before ?? undefined))
    throw new RefusedError(`${device} now holds ${contentInWords(now)}; nothing was written`, {
      code: 'has-data',
      remedy: `see what it is: blkid -p ${device}; then run the command again`,
    });
}
