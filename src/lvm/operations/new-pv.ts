import {
  everyHolder,
  holders,
  identityOf,
  inWords as holdersInWords,
  refusePartitioned,
  remedyFor,
  type Signature,
  size,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../errors.ts';
import { type Bytes, formatSize } from '../../units.ts';
import { contentOf, inWords, pvOf, pvUuidIn } from './physical.ts';

// lvm.conf devices/pv_min_size: 2048 KiB (2.03.16).
const smallest: Bytes = 2 * 1024 ** 2;

interface Asked {
  readonly device: string;
  readonly overwrite?: { readonly uuid?: string; readonly type?: string };
  readonly when: 'before the locks' | 'under the locks';
}

/** Refuses a device that cannot become a physical volume, or holds what `overwrite` does not name. Answers what it holds. */
export async function checkNewPv(host: ReadHost, asked: Asked): Promise<Signature | undefined> {
  const { device, overwrite } = asked;
  if (overwrite !== undefined && overwrite.uuid === undefined && overwrite.type === undefined)
    throw new UsageError('overwrite must name what may be lost, by its uuid or its type');
  const bytes = await size(host, device);
  await refuseHeld(host, device);
  if ((await identityOf(host, device)).identity.startsWith('LVM-'))
    throw new RefusedError(`${device} is itself a logical volume: lvm uses none as a physical volume`, {
      remedy: 'name a disk, a partition, an array or a mapping (lvm.conf, devices/scan_lvs, has the reasons)',
    });
  if (bytes < smallest)
    throw new RefusedError(
      `${device} has ${formatSize(bytes)}; a physical volume needs ${formatSize(smallest)}`,
      {
        remedy: 'take a larger device',
      },
    );
  const found = await contentOf(host, asked);
  await refuseMemberOf(host, device, found);
  await refusePartitioned(host, { device, found });
  refuseContent(asked, found);
  return found;
}

/** RefusedError that names everybody who uses the device, once somebody is known to. */
export async function refuseHeld(host: ReadHost, device: string): Promise<void> {
  if ((await holders(host, device)).length === 0) return;
  const all = await everyHolder(host, device);
  throw new RefusedError(`${device} is in use: ${holdersInWords(all)}`, {
    remedy: remedyFor(all),
    holders: all,
  });
}

// Whatever `overwrite` names: a group that loses a device loses what is on it.
async function refuseMemberOf(host: ReadHost, device: string, found: Signature | undefined): Promise<void> {
  const uuid = pvUuidIn(found);
  if (uuid === undefined) return;
  const pv = await pvOf(host, uuid);
  if (pv?.vg !== undefined)
    throw new RefusedError(
      `${device} is a physical volume of the volume group ${pv.vg.name} (uuid ${uuid})`,
      {
        remedy: `take it out of the group first: bofh lvm vg reduce ${pv.vg.name} ${device}`,
      },
    );
  if (pv === undefined)
    throw new RefusedError(
      `${device} has the label of the physical volume ${uuid}, which lvm does not see: whether it is in a group cannot be told`,
      { remedy: `see what lvm leaves out, and why: pvs --all; lvmconfig devices` },
    );
}

function refuseContent({ device, overwrite }: Asked, found: Signature | undefined): void {
  if (found === undefined) {
    if (overwrite === undefined) return;
    throw new RefusedError(`${device} is blank: what overwrite names is not there`, {
      remedy: 'leave overwrite out',
    });
  }
  const holds = `${device} holds ${inWords(found)}; nothing was written`;
  if (found.usage === 'ambivalent' || found.usage === 'partition-table' || found.ptType !== undefined)
    throw new RefusedError(holds, {
      remedy: `name one of its partitions; or look at it with wipefs ${device}, and wipe it yourself`,
    });
  const named = found.uuid === undefined ? { type: found.type } : { uuid: found.uuid };
  const remedy = `to lose it, name it: overwrite ${JSON.stringify(named)}`;
  if (overwrite === undefined) throw new RefusedError(holds, { remedy });
  const right = overwrite.uuid === found.uuid && (overwrite.type ?? found.type) === found.type;
  if (!right) throw new RefusedError(`${holds}, because overwrite names something else`, { remedy });
}
