import { holders, recognise } from '../../blockdevice/index.ts';
import { refuseHeld } from '../../blockdevice/in-use.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import type { Here } from './known-resource.ts';

/** Throws RefusedError for a disk that is lost, or whose volume is inactive, with the commands that repair it. */
export async function refuseLost(
  host: ReadHost,
  { name, disk, then }: { readonly name: string; readonly disk: string; readonly then: string },
): Promise<void> {
  if ((await host.stat(disk)) !== undefined) return;
  const { vg, lv } = /^\/dev\/(?<vg>[^/]+)\/(?<lv>[^/]+)$/.exec(disk)?.groups ?? {};
  const make = vg === undefined ? 'make one' : `bofh lvm create ${vg}/${String(lv)} --size SIZE`;
  throw new RefusedError(
    `there is no ${disk}, the disk that the configuration of ${name} names on this host`,
    {
      remedy: `if its volume is only inactive, activate it${vg === undefined ? '' : `: bofh lvm activate ${vg}/${String(lv)}`}. If it is lost: ${make}, as large as on the peer; bofh drbd create-md ${name}; ${then}; DRBD then resyncs the data from the peer. To give up the part of this host: drbdadm down ${name}; bofh drbd remove --here ${name}`,
    },
  );
}

/**
 * Throws RefusedError for a disk that is lost or in use, or has no metadata at its end. If the disk has grown,
 * drbdadm would move the metadata, and that is irreversible.
 */
export async function checkDisk(
  host: ReadHost,
  {
    name,
    disk,
    metadata,
    then,
  }: {
    readonly name: string;
    readonly disk: string;
    readonly metadata: unknown;
    /** The command that needs the disk. */
    readonly then: string;
  },
): Promise<void> {
  await refuseLost(host, { name, disk, then });
  await refuseHeld(host, disk, await holders(host, disk));
  if (metadata !== 'internal') return;
  const found = await recognise(host, disk);
  if (found?.type === 'drbd') return;
  throw new RefusedError(
    `${disk} has no metadata of DRBD at its end: it ${found === undefined ? 'is blank' : `holds ${found.type}`}`,
    {
      remedy: `create it: bofh drbd create-md ${name}; or, if the device has grown since it was up, bring it up by hand: drbdadm up ${name}`,
    },
  );
}

/**
 * The same before an undo gives a resource its disks again. Meanwhile others may have mounted a
 * disk, or given it to a guest, which DRBD would not notice.
 */
export async function checkDisksAgain(
  host: ReadHost,
  { name, here }: Here,
  volumes: readonly number[] = here.volumes.map(({ volume }) => volume),
): Promise<void> {
  const leave =
    'or, to leave it as it is: bofh recover --abandon ID --because "…"; for the ID: bofh journal list';
  for (const { volume, disk, metadata } of here.volumes) {
    if (disk === undefined || !volumes.includes(volume)) continue;
    const its = `${disk}, the disk of volume ${String(volume)} of ${name}`;
    if ((await host.stat(disk)) === undefined)
      throw new RefusedError(`there is no ${its}`, {
        remedy: /^\/dev\/[^/]+\/[^/]+$/.test(disk)
          ? `if it is only an inactive volume: lvchange --activate y ${disk}; then: bofh recover; ${leave}`
          : `attach it to this host again; then: bofh recover; ${leave}`,
      });
    await refuseHeld(host, disk, await holders(host, disk));
    if (metadata !== 'internal' || (await recognise(host, disk))?.type === 'drbd') continue;
    throw new RefusedError(`${its}, has no metadata of DRBD at its end`, {
      remedy: `if it has grown: drbdadm up ${name}; then: bofh recover; ${leave}`,
    });
  }
}
