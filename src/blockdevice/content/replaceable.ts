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
import { refuseUnseen } from './unseen.ts';
import { contentInWords, sameContent } from './words.ts';

/**
 * The content of an unused device that may be replaced: none, or exactly what `overwrite` names.
 * Any other content is a RefusedError, and so are partitions and a device of a volume group,
 * whatever is named. A device with a signature is wiped before it is written to. Every operation
 * that formats a whole device calls this.
 */
export async function replaceable(
  host: ReadHost,
  asked: {
    readonly device: string;
    readonly overwrite: Overwrite | undefined;
    /**
     * At the decisive look a blank device is read as well: blkid calls a device with nothing but
     * I/O errors blank.
     */
    readonly when: 'before the locks' | 'under the locks';
    /**
     * What happens to a partition table without partitions. Default: it may be overwritten by its
     * name.
     */
    readonly emptyTable?: 'by name' | 'refused';
    /**
     * A stream of btrfs, which blkid does not see. Default: refused; `known` for a caller that has
     * looked for one itself.
     */
    readonly stream?: 'refused' | 'known';
    /**
     * Further reasons against the device, as RefusedError; checked before its content, so that the
     * user does not name that in vain.
     */
    readonly unfit?: () => Promise<void>;
  },
): Promise<Signature | undefined> {
  const { device, overwrite, when, emptyTable = 'by name', stream = 'refused', unfit } = asked;
  await refuseHeld(host, device, await holders(host, device));
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
 * The last check before data is lost: another process may have written since the first one. That
 * the device is readable was checked under the locks.
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
