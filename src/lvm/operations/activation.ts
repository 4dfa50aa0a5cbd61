import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { busyWith } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { CommandError, type Holder, RefusedError } from '../../core/errors.ts';
import { activationRecovery } from '../manual-recovery-snapshot.ts';
import { activate, deactivate } from '../lv-commands.ts';
import { isClassicSnapshot, isThinPool } from '../filling.ts';
import { checkVgName } from '../names.ts';
import {
  everyHolderOf,
  holdersOf,
  inUse,
  refuseUnknownActivation,
  udevOf,
  usableVg,
  type VolumeAmong,
} from '../reads.ts';
import type { LogicalVolume } from '../objects.ts';
import { deviceKeys } from './device-keys.ts';
import { askedVolume, findKnown, known, type KnownVolume, knownVolume, volumeNamed } from './known-volume.ts';
import { present } from '../../core/present.ts';

const undo = z.extend(knownVolume, {
  /** The state after the step. */
  to: z.enum(['active', 'inactive']),
  /** The classic snapshots that are activated or deactivated with it. */
  snapshots: z.array(z.string()),
});

type Undo = z.infer<typeof undo>;

/**
 * The common parts of both operations. Each is the inverse of the other, for the volume with a
 * uuid.
 */
const common = (to: Undo['to']) =>
  ({
    version: 1,
    args: askedVolume,
    undo,
    result: z.null(),
    lives: 'boot',
    restores: 'state',
    claims: async ({ undo: { vg, name, snapshots }, on }) => {
      const device = await deviceKeys(on, `/dev/${vg}/${name}`);
      const own = [name, ...snapshots].map((each) => `lv:${vg}/${each}`);
      const changes = new Set([...own, ...(device === undefined ? [] : [device.key])]);
      const needs = new Set([`vg:${vg}`, ...(device?.beneath ?? [])]);
      return { changes: [...changes], needs: [...needs].filter((key) => !changes.has(key)) };
    },
    within: ({ undo: { vg, name } }) => `lv:${vg}/${name}`,
    run: async ({ undo: of, host }) => {
      const found = await known(host, of);
      if (found.lv.name !== of.name || isActive(found.lv) === (to === 'active'))
        throw new RefusedError(
          `${of.vg}/${of.name} (uuid ${of.lvUuid}) was changed concurrently: it is now ${found.lv.fullName}, ${stateOf(found.lv)}; nothing was done`,
          { remedy: 'see its state now: bofh lvm list; then run the command again' },
        );
      await make(host, of, to);
      return null;
    },
    value: ({ undo: { vg, name, lvUuid } }) => ({ vg, name, path: `/dev/${vg}/${name}`, uuid: lvUuid }),
    look: async ({ undo: of, host }): Promise<Look> => {
      const found = await findKnown(host, of);
      if (found === undefined || isActive(found.lv) !== (to === 'active')) return { state: 'gone' };
      const { lv } = found;
      const moved = lv.vg === of.vg && lv.name === of.name ? {} : { movedTo: `lv:${lv.fullName}` };
      return { state: 'ours', holders: await usersOf(host, found), ...moved };
    },
    revert: async ({ undo: of, host }) => {
      const found = await findKnown(host, of);
      if (found === undefined || isActive(found.lv) !== (to === 'active')) return;
      await make(host, of, to === 'active' ? 'inactive' : 'active');
    },
    describe: activationRecovery,
  }) as const satisfies Partial<
    Parameters<typeof operation<z.infer<typeof askedVolume>, Undo, null, unknown>>[0]
  >;

/**
 * Activates a logical volume with its classic snapshots, even if its activation-skip flag is set,
 * as on thin snapshots. Lasts until the next boot, which follows the volume's autoactivation.
 * RefusedError for an active volume.
 */
export const activateLv = operation({
  ...common('active'),
  kind: 'lvm.lv.activate',
  prepare: async ({ args, host }) => {
    const found = await asked(host, args);
    if (isActive(found.lv)) throw already(found.lv);
    return toUndo(found, 'active');
  },
});

/**
 * Deactivates an unused logical volume with its classic snapshots. Lasts until the next boot, which
 * follows the volume's autoactivation. RefusedError for an inactive volume.
 */
export const deactivateLv = operation({
  ...common('inactive'),
  kind: 'lvm.lv.deactivate',
  endsAccess: true,
  keepsContent: true,
  prepare: async ({ args, host }) => {
    const found = await asked(host, args);
    if (!isActive(found.lv)) throw already(found.lv);
    await refuseUsed(host, found);
    return toUndo(found, 'inactive');
  },
});

/** Returns the volume if it is already in that state, so that there is nothing to do. */
export async function alreadyIn(
  host: ReadHost,
  of: z.infer<typeof askedVolume>,
  to: Undo['to'],
): Promise<
  { readonly vg: string; readonly name: string; readonly path: string; readonly uuid: string } | undefined
> {
  const { lv } = await asked(host, of);
  if (isActive(lv) !== (to === 'active')) return undefined;
  return { vg: lv.vg, name: lv.name, path: `/dev/${lv.vg}/${lv.name}`, uuid: lv.uuid };
}

async function asked(
  host: ReadHost,
  { vg: group, name, uuid }: z.infer<typeof askedVolume>,
): Promise<VolumeAmong> {
  checkVgName(group);
  const vg = await usableVg(host, group);
  const lv = volumeNamed(vg, { name, ...present({ uuid }) });
  if (lv.role.includes('private') && !isThinPool(lv))
    throw new RefusedError(`${lv.fullName} is part of another volume (${lv.layout.join(', ')})`, {
      remedy: 'name the volume that it is part of: lvs -a -o +devices',
    });
  if (isClassicSnapshot(lv))
    throw new RefusedError(`${lv.fullName} is a classic snapshot: it is active exactly while its origin is`, {
      remedy: `name its origin, ${lv.vg}/${lv.origin?.name ?? ''}`,
    });
  refuseUnknownActivation(lv);
  return { lv, all: vg.volumes };
}

function toUndo({ lv, all }: VolumeAmong, to: Undo['to']): Undo {
  const snapshots = snapshotsOf({ lv, all }).map(({ name }) => name);
  return { vg: lv.vg, vgUuid: lv.vgUuid, lvUuid: lv.uuid, name: lv.name, to, snapshots };
}

async function make(host: ChangeHost, of: KnownVolume, to: Undo['to']): Promise<void> {
  const found = await known(host, of);
  const { vg, name, uuid, skipped } = found.lv;
  const meant = { vg, name, uuid, ...(await udevOf(host)) };
  if (to === 'active') await host.run(activate({ ...meant, skipped }));
  else {
    await refuseUsed(host, found);
    try {
      await host.run(deactivate(meant));
    } catch (error) {
      if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
      throw busyWith(error, { what: found.lv.fullName, holders: await everyUserOf(host, found) });
    }
  }
  const after = await known(host, of);
  if (isActive(after.lv) !== (to === 'active'))
    throw new RefusedError(`lvchange did not make ${after.lv.fullName} (uuid ${uuid}) ${to}`, {
      remedy: `try it by hand, to see the reason: lvchange --activate ${to === 'active' ? 'y' : 'n'} ${after.lv.fullName}`,
    });
}

async function refuseUsed(host: ReadHost, found: VolumeAmong): Promise<void> {
  const inside = found.all.filter((other) => other.pool?.uuid === found.lv.uuid && isActive(other));
  if (inside.length > 0)
    throw new RefusedError(
      `${found.lv.fullName} is in use: it contains active volumes: ${inside.map(({ fullName }) => fullName).join(', ')}`,
      {
        code: 'in-use',
        remedy: `deactivate them first: ${inside.map(({ fullName }) => `bofh lvm deactivate ${fullName}`).join('; ')}`,
      },
    );
  if ((await usersOf(host, found)).length > 0) throw inUse(found.lv, await everyUserOf(host, found));
}

/**
 * Returns the holders of the volume and of its classic snapshots; the snapshots themselves do not
 * count.
 */
async function usersOf(host: ReadHost, found: VolumeAmong): Promise<readonly Holder[]> {
  const all = [found.lv, ...snapshotsOf(found)];
  return (await Promise.all(all.map((lv) => holdersOf(host, { lv, all: [] })))).flat();
}

async function everyUserOf(host: ReadHost, found: VolumeAmong): Promise<readonly Holder[]> {
  const all = [found.lv, ...snapshotsOf(found)];
  return (await Promise.all(all.map((lv) => everyHolderOf(host, { lv, all: [] })))).flat();
}

function snapshotsOf({ lv, all }: VolumeAmong): readonly LogicalVolume[] {
  return all.filter((other) => other.origin?.uuid === lv.uuid && isClassicSnapshot(other));
}

function isActive({ active }: LogicalVolume): boolean {
  return active === true;
}

function stateOf(lv: LogicalVolume): string {
  return isActive(lv) ? 'active' : 'not active';
}

function already(lv: LogicalVolume): RefusedError {
  return new RefusedError(`${lv.fullName} is ${stateOf(lv)} already`, {
    remedy: 'there is nothing to do; see: bofh lvm list',
  });
}
