import { holders, recognise } from '../../blockdevice/index.ts';
import { refuseHeld } from '../../blockdevice/in-use.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';

/** drbdadm would move the metadata of a device that has grown, and that is irreversible. */
export async function checkDisk(
  host: ReadHost,
  { name, disk, metadata }: { readonly name: string; readonly disk: string; readonly metadata: unknown },
): Promise<void> {
  await refuseHeld(host, disk, await holders(host, disk));
  if (metadata !== 'internal') return;
  const found = await recognise(host, disk);
  if (found?.type === 'drbd') return;
  throw new RefusedError(
    `${disk} has no metadata of DRBD at its end: it ${found === undefined ? 'is blank' : `holds ${found.type}`}`,
    {
      remedy: `make it (bofh drbd create-md ${name}); if the device has grown since it was up, bring it up by hand: drbdadm up ${name}`,
    },
  );
}
