import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  movedFrom,
  overwriteSchema,
  probe,
  refuseChanged,
  refuseElsewhere,
  refuseHeld,
  sameContent,
  signatureSchema,
  syncDevice,
  wipeSignatures,
  checkOverwrite,
  type Overwrite,
  replaceable,
  type Signature,
  sizeOfMedium,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { pvcreate, pvremove } from '../pv-commands.ts';
import { udevOf } from '../reads.ts';
import { pvOf, pvUuidIn } from './physical.ts';
import { randomInt } from 'node:crypto';
import { type Bytes, formatSize } from '../../core/units.ts';

const args = z.strictObject({
  /** The device for the physical volume: a disk or a partition. */
  device: z.string().check(z.minLength(1)),
  /** UUID, or else type, of the content to overwrite. */
  overwrite: z.exactOptional(overwriteSchema),
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  /** Name of the device at that time. */
  key: z.string(),
  /** Key of the device whose removal also removes the label. */
  container: z.string(),
  /** UUID, chosen before the act: proves which step created it. */
  uuid: z.string(),
  /** Previous content; null if it was blank. */
  before: z.nullable(signatureSchema),
});

type Undo = z.infer<typeof undo>;

/**
 * Creates a physical volume on a device, with a uuid chosen before. Refuses a device that is in
 * use, has a partition table, or has content that `overwrite` does not name. Undo leaves the device
 * blank, even if something was overwritten, and is refused while the physical volume is in a group.
 */
export const createPv = operation({
  kind: 'lvm.pv.create',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: asked, host, chosen }) => {
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await checkNewPv(host, { ...asked, when });
    const { identity, container, key } = await identityOf(host, asked.device);
    const uuid = chosen?.uuid ?? newLvmUuid();
    return { device: asked.device, identity, key, container, uuid, before: before ?? null };
  },
  claims: async ({ undo: { device, uuid }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`pv:${uuid}`], changes: [key], needs: beneath };
  },
  within: ({ undo: { container } }) => container,
  run: async ({ undo: of, host }) => {
    await refuseChanged(host, of);
    const { path: device } = await deviceNode(host, of.device);
    if (of.before !== null) await host.run(wipeSignatures(device));
    await host.run(pvcreate({ device, uuid: of.uuid, ...(await udevOf(host)) }));
    return null;
  },
  value: ({ undo: { device, uuid } }) => ({ device, uuid }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { path, look } = await find(host, of);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseMember(host, of, path);
    const { path: device } = await deviceNode(host, path);
    await host.run(pvremove({ device, ...(await udevOf(host)) }));
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: ({ undo: { device, uuid } }) => ({
    what: `the physical volume of uuid ${uuid} on ${device}`,
    look: [['pvs', '--options', 'pv_name,pv_uuid,vg_name', '--select', `pv_uuid=${uuid}`]],
    clear: [['pvremove', device]],
  }),
});

// lvm writes the label last: a device without one, or with its previous content, is unchanged by
// the step.
async function find(host: ReadHost, of: Undo): Promise<{ readonly path?: string; readonly look: Look }> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { look: { state: 'gone' } };
  const now = await probe(host, path);
  if (pvUuidIn(now) === of.uuid) {
    // A device may get another number with a reboot, but keeps its name.
    const moved = await movedFrom(host, path, of.key);
    // Undo harms no other data, because it is refused while the physical volume is in a group.
    return { path, look: { state: 'ours', ...moved } };
  }
  const { identity, uuid } = of;
  const what = `the physical volume of uuid ${uuid}`;
  await refuseElsewhere(
    host,
    { path, identity, what },
    async (other) => pvUuidIn(await probe(host, other)) === uuid,
  );
  if (now === undefined || sameContent(now, of.before ?? undefined)) return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}

async function refuseMember(host: ReadHost, { uuid }: Undo, path: string): Promise<void> {
  const pv = await pvOf(host, uuid);
  if (pv === undefined)
    throw new RefusedError(`lvm does not see the physical volume ${uuid} on ${path}`, {
      remedy: `see what lvm leaves out, and why: pvs --all; lvmconfig devices`,
    });
  if (pv.vg === undefined) return refuseHeld(host, path, await holders(host, path));
  throw new RefusedError(`${path} (uuid ${uuid}) is in the volume group ${pv.vg.name} now`, {
    remedy: `remove it from the group: vgreduce ${pv.vg.name} ${path}; or, if it is the only device of the group: vgremove ${pv.vg.name}; then: bofh recover`,
  });
}

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Returns a new uuid in lvm's format: 32 letters and digits in groups of 6-4-4-4-4-4-6
 * (lib/uuid/uuid.c of lvm2 2.03.16).
 */
export function newLvmUuid(): string {
  const drawn = (count: number): string =>
    Array.from({ length: count }, () => letters.charAt(randomInt(letters.length))).join('');
  return [6, 4, 4, 4, 4, 4, 6].map(drawn).join('-');
}

// lvm.conf devices/pv_min_size: 2048 KiB (2.03.16).
const smallest: Bytes = 2 * 1024 ** 2;

/**
 * RefusedError for a device that cannot become a physical volume, has a partition table, or has
 * content that may not be overwritten. Returns its content.
 */
async function checkNewPv(
  host: ReadHost,
  asked: {
    readonly device: string;
    readonly overwrite?: Overwrite;
    readonly when: 'before the locks' | 'under the locks';
  },
): Promise<Signature | undefined> {
  const { device, overwrite, when } = asked;
  checkOverwrite(overwrite);
  const unfit = (): Promise<void> => refuseUnfit(host, device);
  return replaceable(host, { device, overwrite, when, unfit, emptyTable: 'refused' });
}

async function refuseUnfit(host: ReadHost, device: string): Promise<void> {
  if ((await identityOf(host, device)).identity.startsWith('LVM-'))
    throw new RefusedError(
      `${device} is itself a logical volume: lvm does not use a logical volume as a physical volume`,
      {
        remedy:
          'name a disk, a partition, an array or a mapping (lvm.conf, devices/scan_lvs, has the reasons)',
      },
    );
  const bytes = await sizeOfMedium(host, device);
  if (bytes < smallest)
    throw new RefusedError(
      `${device} has ${formatSize(bytes)}; a physical volume needs ${formatSize(smallest)}`,
      { code: 'invalid', remedy: 'use a larger device' },
    );
}
