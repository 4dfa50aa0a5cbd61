import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { size as deviceSize } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize, parseSize } from '../../core/units.ts';
import { resizedRecovery } from '../manual-recovery-resize.ts';
import { layout } from '../layout.ts';
import { pvresize, pvStarts } from '../pv-commands.ts';
import { udevOf, usableVg } from '../reads.ts';
import { reported } from '../unreadable.ts';
import { findGroup, knownGroup, sameGroup } from './known-group.ts';
import { accountedFor, claimsOn, knownPv, nodesOf, syncPvs, toKnown } from './known-pvs.ts';
import { pvOf, pvOn } from './physical.ts';
import { sizeOption } from '../../core/request.ts';

const extents = z.number().check(z.int(), z.positive());

const args = z.strictObject({
  /** The physical volume. */
  device: z.string().check(z.minLength(1)),
  /** New size, rounded down to whole extents (default: the whole device). */
  size: z.exactOptional(sizeOption),
});

const undo = z.extend(knownGroup, {
  pv: knownPv,
  /** Offset of the first extent, in bytes. */
  start: z.number().check(z.int(), z.nonnegative()),
  extentSize: z.number().check(z.int(), z.positive()),
  was: extents,
  now: extents,
});

type Undo = z.infer<typeof undo>;

/**
 * Extends a physical volume of a group to its grown device, or shrinks it before the device
 * shrinks. Undo restores the old size. Neither removes used extents.
 */
export const resizePv = operation({
  kind: 'lvm.pv.resize',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  keepsContent: ({ undo: { vg } }) => [`vg:${vg}`],
  restores: 'state',
  prepare: async ({ args: asked, host }) => {
    const { device } = asked;
    const { pv, vg, wanted, bytes, ...rest } = await measured(host, asked);
    const { now, was } = rest;
    refuseSize({ device, wanted, bytes, now, was });
    if (now < was) await refuseLost(host, { uuid: pv.uuid, device, keeps: now });
    const [known] = await toKnown(host, [device], [pv]);
    if (known === undefined) throw new TypeError('the device has no physical volume');
    return { vg: vg.name, vgUuid: vg.uuid, pv: known, ...rest };
  },
  claims: async ({ undo: { vg, pv }, on }) => {
    const { changes, needs } = await claimsOn([pv], on);
    return { changes: [`vg:${vg}`, ...changes], needs };
  },
  run: async ({ undo: of, host }) => {
    await sameGroup(host, of);
    const look = await find(host, of);
    if (look.state !== 'gone' || (await pvOf(host, of.pv.uuid))?.vg?.uuid !== of.vgUuid)
      throw new RefusedError(
        `${of.pv.device} is now another physical volume, or has another size; nothing was done`,
        {
          remedy: 'look at it: bofh lvm pv list; then run the command again',
        },
      );
    await resize(host, of, of.now);
    return null;
  },
  value: ({ undo: { pv, now, extentSize } }) => ({
    device: pv.device,
    uuid: pv.uuid,
    size: now * extentSize,
  }),
  look: ({ undo: of, host }) => find(host, of),
  revert: async ({ undo: of, host }) => {
    if ((await find(host, of)).state === 'ours') await resize(host, of, of.was);
  },
  sync: ({ undo: { pv }, host }) => syncPvs(host, [pv]),
  describe: resizedRecovery,
});

/**
 * Returns the answer for a physical volume that already has the requested size; undefined if it
 * does not.
 */
export async function alreadySized(
  host: ReadHost,
  asked: z.infer<typeof args>,
): Promise<{ readonly device: string; readonly uuid: string; readonly size: Bytes } | undefined> {
  const { pv, now, was, wanted, bytes } = await measured(host, asked);
  return now === was && wanted <= bytes ? { device: asked.device, uuid: pv.uuid, size: pv.size } : undefined;
}

async function measured(host: ReadHost, { device, size }: z.infer<typeof args>) {
  const pv = await pvOn(host, device);
  if (pv.vg === undefined)
    throw new RefusedError(`${device} is in no volume group: it has no extents yet`, {
      remedy: `add it to a group, where it gets the size of its device: bofh lvm vg extend VG ${device}`,
    });
  const vg = await usableVg(host, pv.vg.name);
  const { extentSize } = vg;
  const start = await startOf(host, pv.uuid);
  const bytes = await deviceSize(host, device);
  const wanted = size === undefined ? bytes : parseSize(size);
  const [was, now] = [pv.size / extentSize, Math.floor((wanted - start) / extentSize)];
  return { pv, vg, start, extentSize, bytes, wanted, was, now };
}

async function find(host: ReadHost, of: Undo): Promise<Look> {
  const vg = await findGroup(host, of);
  const pv = await pvOf(host, of.pv.uuid);
  if (vg === undefined || pv === undefined)
    await accountedFor(host, { what: `the volume group ${of.vg}`, pvs: [of.pv] });
  // A physical volume outside its group has no extents: an administrator has removed it from the
  // group.
  if (pv?.vg === undefined) return { state: 'gone' };
  if (pv.vg.uuid !== of.vgUuid)
    return { state: 'not-ours', found: `${of.pv.device} is in the volume group ${pv.vg.name}` };
  const extentsNow = pv.size / of.extentSize;
  if (extentsNow === of.was) return { state: 'gone' };
  if (extentsNow === of.now) return { state: 'ours' };
  return { state: 'not-ours', found: `${of.pv.device} has ${formatSize(pv.size)} now` };
}

/**
 * Resizes the physical volume, forward or back, never below used extents, and never beyond the
 * device, which lvm would accept with `--yes`.
 */
async function resize(host: ChangeHost, of: Undo, to: number): Promise<void> {
  const pv = await pvOf(host, of.pv.uuid);
  const device = pv?.path ?? of.pv.device;
  await refuseLost(host, { uuid: of.pv.uuid, device, keeps: to });
  const size = of.start + to * of.extentSize;
  const bytes = await deviceSize(host, device);
  if (bytes < size)
    throw new RefusedError(`${device} has ${formatSize(bytes)} now, and ${formatSize(size)} are needed`, {
      remedy: `make the device larger again; then: bofh recover`,
    });
  const [node = device] = await nodesOf(host, [{ ...of.pv, device }]);
  await host.run(pvresize({ device: node, size, ...(await udevOf(host)) }));
}

async function startOf(host: ReadHost, uuid: string): Promise<Bytes> {
  const start = (await host.run(pvStarts())).get(uuid);
  if (start !== undefined) return start;
  throw new RefusedError(`lvm does not report where the extents of the physical volume ${uuid} begin`, {
    remedy: 'look at it: pvs -o pv_name,pv_uuid,pe_start',
  });
}

/**
 * RefusedError if a volume has extents beyond the kept ones. lvm lists the runs of a device in
 * order.
 */
async function refuseLost(
  host: ReadHost,
  { uuid, device, keeps }: { readonly uuid: string; readonly device: string; readonly keeps: number },
): Promise<void> {
  const { groups } = await reported(host, layout());
  const lost = new Set<string>();
  let end = 0;
  for (const { volumes, runs } of groups)
    for (const { pvUuid, extents: count, lvUuid } of runs) {
      if (pvUuid !== uuid) continue;
      end += count;
      if (lvUuid === undefined || end <= keeps) continue;
      lost.add(volumes.find((lv) => lv.uuid === lvUuid)?.fullName ?? lvUuid);
    }
  if (lost.size === 0) return;
  throw new RefusedError(
    `${[...lost].join(' and ')} has extents at the end of ${device}, which would be cut off`,
    {
      remedy: `see which: pvs --segments -o +lv_name ${device}; then move them: pvmove --alloc anywhere ${device}:${String(keeps)}- ${device}:0-${String(keeps - 1)}`,
    },
  );
}

function refuseSize(of: {
  readonly device: string;
  readonly wanted: Bytes;
  readonly bytes: Bytes;
  readonly now: number;
  readonly was: number;
}): void {
  const { device, wanted, bytes, now, was } = of;
  if (wanted > bytes)
    throw new RefusedError(
      `${device} has ${formatSize(bytes)}: a physical volume of ${formatSize(wanted)} does not fit`,
      {
        code: 'no-space',
        remedy: `request a smaller size, or enlarge the device first; see its size: bofh block tree ${device}`,
      },
    );
  if (now < 1)
    throw new RefusedError(`${formatSize(wanted)} is too small for one extent`, {
      code: 'invalid',
      remedy: `request more, or see its size: bofh lvm pv list`,
    });
  if (now === was)
    throw new RefusedError(`${device} has that size already: ${String(was)} extents`, {
      remedy: 'there is nothing to do; see: bofh lvm pv list',
    });
}
