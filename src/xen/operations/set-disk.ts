import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { type ChangeHost, follow, type ReadHost } from '../../command/index.ts';
import { everyHolder, holders, identityOf, inWords, locate, remedyFor } from '../../blockdevice/index.ts';
import { CommandError, RefusedError, UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { xlBlockAttach, xlBlockDetach, xlDisks } from '../commands.ts';
import { diskRecovery } from '../manual-recovery.ts';
import { domainHolder, refuseHeldDisks } from './guest.ts';
import { domainIn, domainOf, refuseNotRunning } from './running.ts';
import { writesTo } from '../backends.ts';

const args = z.strictObject({
  /** Name of the running guest. */
  name: z.string().check(z.minLength(1)),
  /** UUID of the running domain. */
  uuid: z.string().check(z.minLength(1)),
  /** The name of the disk in the guest: `xvdc`. */
  vdev: z.string().check(z.regex(/^xvd[a-z]\d*$/, 'the name of a disk of a guest, for example xvdc')),
  /** Absolute path of the block device to attach; null detaches the disk. */
  device: z.nullable(z.string().check(z.startsWith('/'))),
});

const slot = z.nullable(z.strictObject({ path: z.string(), access: z.enum(['ro', 'rw']) }));
type Slot = z.infer<typeof slot>;

const undoSchema = z.strictObject({
  name: z.string(),
  uuid: z.string(),
  /** Its domain; missing in an older journal. */
  domid: z.exactOptional(z.int()),
  vdev: z.string(),
  from: slot,
  to: slot,
  /** That of the device which the guest gets or loses: its path may lead to another one when the step is undone. */
  identity: z.string(),
});
type Undo = z.infer<typeof undoSchema>;

/** The values in `xl list -l` for a disk that `block-attach` can attach again with only path, name and access. */
const ordinary: Readonly<Record<string, unknown>> = {
  format: 'raw',
  backend: 'phy',
  colo_restore_enable: 'False',
  colo_enable: 'False',
};

/**
 * Attaches a disk to a running guest, or detaches one, until the guest ends. The old and the new
 * device under the name of the disk prove the step: others have set any third one, and it is left
 * untouched. The undo attaches a device again only if its path still leads to it, and nothing else
 * uses it. The kernel of the guest must release a detached disk: since Linux 5.15 it does so at
 * once, even if the disk is mounted. So the undo does not detach a disk to which the guest wrote.
 */
export const setDisk = operation({
  kind: 'xen.disk.set',
  version: 1,
  args,
  undo: undoSchema,
  result: z.null(),
  lives: 'boot',
  starts: 'a writer',
  restores: 'state',
  prepare: async ({ args: { device, ...asked }, host }): Promise<Undo> => {
    const domain = await domainIn(host, asked, ['running']);
    const from = await slotOf(host, { ...asked, id: domain.id });
    if (device === null && from === null)
      throw new UsageError(`${asked.name} has no disk ${asked.vdev}: there is nothing to detach`);
    if (device !== null && from !== null)
      throw new RefusedError(`${asked.name} has a disk ${asked.vdev} already: ${from.path}`, {
        code: 'in-use',
        remedy: `use another name; to see its disks: xl block-list ${domain.id}`,
      });
    const { stat } = await follow(host, device ?? from?.path ?? '');
    if (stat?.kind !== 'block')
      throw new UsageError(
        `${device ?? `the disk ${asked.vdev} of ${asked.name}, ${from?.path ?? ''},`} is not a block device`,
      );
    const { identity } = await identityOf(host, device ?? from?.path ?? '');
    const of = { ...asked, domid: domain.id, from, identity };
    if (device === null) return { ...of, to: null };
    await refuseHeld(host, device);
    return { ...of, to: { path: device, access: 'rw' } };
  },
  claims: async ({ undo: { name, uuid, from, to }, on }) => {
    const { key, beneath } = await on((to ?? from)?.path ?? '');
    return { changes: [`dom:${name}`, `dom-uuid:${uuid}`, key], needs: beneath };
  },
  run: async ({ undo, host }) => {
    await apply(host, undo, undo.to);
    return null;
  },
  value: () => null,
  look: async ({ undo, host }) => {
    const domain = await domainOf(host, undo);
    if (domain === undefined) return { state: 'gone' };
    const now = await slotOf(host, { ...undo, id: domain.id });
    if (same(now, undo.from)) return { state: 'gone' };
    if (!same(now, undo.to))
      return { state: 'not-ours', found: `${undo.vdev} of ${undo.name} is ${now?.path ?? 'gone'} now` };
    const found = undo.from === null ? undefined : await moved(host, undo.from.path, undo);
    if (found !== undefined) return { state: 'not-ours', found };
    const isWritten = undo.to !== null && (await writesTo(host, { ...undo, domid: domain.id })) > 0;
    return { state: 'ours', holders: isWritten ? [domainHolder(domain)] : [] };
  },
  revert: async ({ undo, host }) => {
    const domain = await domainOf(host, undo);
    if (domain === undefined || same(await slotOf(host, { ...undo, id: domain.id }), undo.from)) return;
    if (undo.to !== null && (await writesTo(host, { ...undo, domid: domain.id })) > 0)
      throw new RefusedError(
        `${undo.name} has written to its disk ${undo.vdev}, ${undo.to.path}, and may have it mounted`,
        {
          code: 'in-use',
          remedy: `unmount it in the guest; then: xl block-detach ${undo.name} ${undo.vdev}; then: bofh recover`,
          holders: [domainHolder(domain)],
        },
      );
    refuseNotRunning(domain, undo);
    if (undo.from !== null)
      await refuseHeldDisks(host, { name: undo.name, disks: [{ ...undo.from, kind: 'block' }] });
    await apply(host, undo, undo.from);
  },
  describe: diskRecovery,
});

/** Refuses a device that dom0 or another guest uses. */
async function refuseHeld(host: ReadHost, device: string): Promise<void> {
  if ((await holders(host, device)).length === 0) return;
  const held = await everyHolder(host, device);
  throw new RefusedError(`${device} is in use: ${inWords(held)}`, {
    code: 'in-use',
    remedy: remedyFor(held),
    holders: held,
  });
}

async function apply(host: ChangeHost, undo: Undo, to: Slot): Promise<void> {
  const domain = await domainIn(host, undo, ['running']);
  const { vdev } = undo;
  if (to !== null) return host.run(xlBlockAttach({ id: domain.id, vdev, ...to }));
  try {
    await host.run(xlBlockDetach({ id: domain.id, vdev }));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    const { tool, argv, reason, exitCode, stderr } = error;
    throw new CommandError({
      ...{ tool, argv, reason, stderr, cause: error, ...present({ exitCode }) },
      what: `${undo.name} did not release its disk ${vdev} within 10 s, and may do so later`,
      remedy: `unmount it in the guest; then run the command again`,
    });
  }
}

/** Why the path no longer leads to the device of the step. Throws RefusedError if that device is only missing for now. */
async function moved(host: ReadHost, path: string, { identity }: Undo): Promise<string | undefined> {
  const now = await locate(host, { path, identity });
  if (now === path) return undefined;
  return now === undefined
    ? `the volume that was ${path} has been removed`
    : `the device that was ${path} is ${now} now`;
}

/**
 * The current disk of the guest under that name. Throws RefusedError for a disk that xl could not attach
 * again unchanged.
 */
async function slotOf(
  host: ReadHost,
  { id, name, vdev }: { readonly id: number; readonly name: string; readonly vdev: string },
): Promise<Slot> {
  const disk = (await host.run(xlDisks())).get(id)?.find((each) => each.vdev === vdev);
  if (disk === undefined) return null;
  const { vdev: _, pdev_path: path = '', readwrite = 0, ...rest } = disk;
  const odd = Object.entries(rest).find(([key, value]) => ordinary[key] !== value);
  if (path !== '' && odd === undefined) return { path, access: readwrite === 0 ? 'ro' : 'rw' };
  throw new RefusedError(
    `the disk ${vdev} of ${name} has ${odd === undefined ? 'no path' : `the option ${odd[0]}`}, and an undo could not attach it again`,
    { remedy: `detach it without an undo: xl block-detach ${name} ${vdev}` },
  );
}

function same(a: Slot, b: Slot): boolean {
  return a?.path === b?.path && a?.access === b?.access;
}
