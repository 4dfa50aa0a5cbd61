import * as z from 'zod/mini';
import { deferred } from '../../atomic/operation.ts';
import {
  deviceNode,
  groupsOfPvs,
  holders,
  locate,
  outOfGroup,
  probe,
  refuseHeld,
  syncDevice,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { pvremove } from '../pv-commands.ts';
import { udevOf } from '../reads.ts';
import { tombstonePrefix } from './groups.ts';
import { claimsOn, type KnownPv, knownPv, type PresentPv, toKnown } from './known-pvs.ts';
import { pvOf, pvOn, pvUuidIn } from './physical.ts';

const args = z.strictObject({
  /** The physical volume, which must be in no group. */
  device: z.string().check(z.minLength(1)),
  /** UUID of the physical volume. Refused if the device has another one now. */
  uuid: z.exactOptional(z.string()),
});

/**
 * Removes the label of a physical volume in no group, after the commit, because lvm cannot restore
 * the exact position and size of its areas. Also allowed if the same sequence removes the group of
 * the physical volume.
 */
export const removePv = deferred({
  kind: 'lvm.pv.remove',
  version: 1,
  args,
  undo: knownPv,
  prepare: async ({ args: { device, uuid }, mark, host }) => {
    const pv = await pvOn(host, device);
    if (uuid !== undefined && pv.uuid !== uuid)
      throw new RefusedError(
        `${device} is another physical volume now: its uuid is ${pv.uuid}, not ${uuid}`,
        {
          remedy: 'look at it: bofh lvm pv list; then name the right one',
        },
      );
    if (pv.vg?.name.startsWith(tombstonePrefix(mark)) !== true) await refuseMember(host, pv);
    await refuseHeld(host, device, await holders(host, device));
    const [known] = await toKnown(host, [device], [pv]);
    if (known === undefined) throw new TypeError('one device gives one physical volume');
    return known;
  },
  claims: ({ undo: of, on }) => claimsOn([of], on),
  look: async ({ undo: of, host }) =>
    (await labelled(host, of)) === undefined ? { state: 'gone' } : { state: 'ours' },
  afterCommit: async ({ undo: of, host }) => {
    const path = await labelled(host, of);
    if (path === undefined) return;
    const pv = await pvOf(host, of.uuid);
    if (pv?.path === undefined)
      throw new RefusedError(`lvm does not see the physical volume ${of.uuid} on ${path}`, {
        remedy: 'see what lvm leaves out, and why: pvs --all; lvmconfig devices',
      });
    await refuseMember(host, { ...pv, path: pv.path });
    await refuseHeld(host, path, await holders(host, path));
    const { path: device } = await deviceNode(host, path);
    await host.run(pvremove({ device, ...(await udevOf(host)) }));
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { device, uuid } }) => ({
    what: `the physical volume of uuid ${uuid} on ${device}, whose label will be removed`,
    look: [['pvs', '--options', 'pv_name,pv_uuid,vg_name', '--select', `pv_uuid=${uuid}`]],
    clear: [['pvremove', device]],
  }),
});

/** Returns the path of the device while it is that physical volume. */
async function labelled(host: ReadHost, { device, identity, uuid }: KnownPv): Promise<string | undefined> {
  const path = await locate(host, { path: device, identity });
  return path !== undefined && pvUuidIn(await probe(host, path)) === uuid ? path : undefined;
}

async function refuseMember(host: ReadHost, { path, uuid, vg }: PresentPv): Promise<void> {
  if (vg === undefined) return;
  throw new RefusedError(`${path} is in the volume group ${vg.name} (uuid ${uuid})`, {
    remedy: outOfGroup(await host.run(groupsOfPvs()), { group: vg.name, device: path }),
  });
}
