import * as z from 'zod/mini';
import { deferred, type Look, operation } from '../../atomic/operation.ts';
import {
  holders,
  identityOf,
  locate,
  namingHolders,
  recognise,
  refuseHeld,
} from '../../blockdevice/index.ts';
import { inShell, type ChangeHost, type KeyInput, keyRef, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { closedRecovery, toCloseRecovery } from '../manual-recovery.ts';
import {
  activationFlags,
  isActivationFlag,
  luksClose,
  luksOpen,
  luksResize,
  renameMapping,
} from '../open-commands.ts';
import { checkKey } from '../check-key.ts';
import { openedAs, refuseTaken } from '../names.ts';
import { isLuksSignature, lowerPath, mappingNamed, mappings, statusNow } from '../reads.ts';
import { luksUuid, type Mapping } from '../schema.ts';

const named = {
  /** Name of the open device, or /dev/mapper/NAME. */
  name: z.string().check(z.minLength(1)),
};

const args = z.strictObject({
  ...named,
  /** A key that opens the device, for the undo. */
  key: keyRef,
});

const undo = z.strictObject({
  name: z.string(),
  /**
   * Distinguishes the mapping from later ones with the same name. Ends with the name under which
   * the mapping was opened, before any rename.
   */
  dmUuid: z.string(),
  luksUuid,
  /** The backing device, which the undo opens. */
  device: z.string(),
  identity: z.string(),
  lower: z.string(),
  mode: z.enum(['ro', 'rw']),
  size: z.int(),
  flags: z.array(z.enum(activationFlags)),
  /** The source of the key for the undo. */
  key: keyRef,
});

type Undo = z.infer<typeof undo>;

/**
 * Closes an unused encrypted device. The undo opens it again with the same name, size and flags,
 * and with the same name in its device-mapper uuid. That needs a key; without one, use
 * `closeAfterCommit`.
 */
export const close = operation({
  kind: 'crypt.close',
  endsAccess: true,
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: { name, key }, host }): Promise<Undo> => {
    const mapping = await openLuks(host, name);
    await checkKey(host, key);
    await refuseHeld(host, mapping.path, await holders(host, mapping.path));
    const { device, lower } = await lowerPath(host, mapping);
    await refuseHeaderElsewhere(host, device, mapping);
    const { identity } = await identityOf(host, device);
    const { dmUuid, luksUuid: uuid, mode, size } = mapping;
    const at = { device, identity, lower };
    openedAs(dmUuid);
    return {
      name: mapping.name,
      dmUuid,
      luksUuid: uuid,
      ...at,
      mode,
      size,
      flags: await flagsOf(host, mapping),
      key,
    };
  },
  claims: async ({ undo: { name }, on }) => {
    const { key, beneath } = await on(`/dev/mapper/${name}`);
    return { changes: [key], needs: beneath };
  },
  run: async ({ undo: of, host }) => {
    await closeNow(host, of);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => reopen(host, of),
  describe: closedRecovery,
});

const laterUndo = z.strictObject({
  name: z.string(),
  dmUuid: z.string(),
  /** After a reboot there is nothing to close: the boot itself opened what is open then. */
  boot: z.string(),
});

/**
 * Closes a mapping of cryptsetup after the commit, because it could not be opened again without its
 * key.
 */
export const closeAfterCommit = deferred({
  kind: 'crypt.close.deferred',
  version: 1,
  args: z.strictObject(named),
  undo: laterUndo,
  prepare: async ({ args: { name }, host }) => {
    const mapping = await openNamed(host, name);
    await refuseHeld(host, mapping.path, await holders(host, mapping.path));
    return { name: mapping.name, dmUuid: mapping.dmUuid, boot: (await host.facts()).boot };
  },
  claims: async ({ undo: { name }, on }) => {
    const { key, beneath } = await on(`/dev/mapper/${name}`);
    return { changes: [key], needs: beneath };
  },
  look: async ({ undo: of, host }) => {
    if ((await host.facts()).boot !== of.boot) return { state: 'gone' };
    const mapping = await same(host, of);
    if (mapping === undefined) return { state: 'gone' };
    return { state: 'ours', holders: await holders(host, mapping.path) };
  },
  afterCommit: async ({ undo: of, host }) => {
    const mapping = await same(host, of);
    if (mapping !== undefined) await closeNow(host, { ...of, name: mapping.name });
  },
  describe: toCloseRecovery,
});

async function openNamed(host: ReadHost, name: string): Promise<Mapping> {
  const mapping = await mappingNamed(host, name);
  if (mapping !== undefined) return mapping;
  throw new RefusedError(`no encrypted device is open as ${name}`, {
    code: 'not-found',
    remedy: 'see what is open: bofh crypt list',
  });
}

async function openLuks(host: ReadHost, name: string): Promise<Mapping & { readonly luksUuid: string }> {
  const mapping = await openNamed(host, name);
  const { luksUuid: uuid } = mapping;
  if (uuid !== undefined && /^LUKS[12]$/.test(mapping.type)) return { ...mapping, luksUuid: uuid };
  throw new RefusedError(
    `${mapping.path} is not a LUKS device but ${mapping.type}: an undo could not open it again`,
    {
      remedy: `cryptsetup close ${inShell(mapping.name)}`,
    },
  );
}

async function refuseHeaderElsewhere(host: ReadHost, device: string, mapping: Mapping): Promise<void> {
  const found = await recognise(host, device);
  if (isLuksSignature(found) && found.uuid === mapping.luksUuid) return;
  throw new RefusedError(
    `the header of ${mapping.path} is not on ${device}: an undo could not open it again`,
    {
      remedy: `close it without an undo: ${option(`bofh crypt close ${inShell(mapping.name)}`, 'crypt.closeAfterCommit')}`,
    },
  );
}

async function flagsOf(host: ReadHost, mapping: Mapping): Promise<Undo['flags']> {
  const { name, path } = mapping;
  const flags = (await statusNow(host, mapping))?.flags ?? [];
  return flags.map((flag) => {
    if (isActivationFlag(flag)) return flag;
    throw new RefusedError(
      `${path} was opened with "${flag}": an undo could not open it again with this option`,
      {
        remedy: `cryptsetup close ${inShell(name)}`,
      },
    );
  });
}

/**
 * Closes the mapping. Only the kernel can check without a race that it is unused; if it refuses, the
 * error names the holders.
 */
async function closeNow(
  host: ChangeHost,
  of: { readonly name: string; readonly dmUuid: string },
): Promise<void> {
  const mapping = await same(host, of);
  if (mapping?.name !== of.name)
    throw new RefusedError(
      `the device that was open as ${of.name} is now ${mapping === undefined ? 'closed' : `open as ${mapping.name}`}`,
      {
        remedy: 'look at it: bofh crypt list; then run the command again',
      },
    );
  await refuseHeld(host, mapping.path, await holders(host, mapping.path));
  await namingHolders(host, mapping.path, () => host.run(luksClose(mapping.name)));
}

async function same(host: ReadHost, { dmUuid }: { readonly dmUuid: string }): Promise<Mapping | undefined> {
  return (await mappings(host)).find((mapping) => mapping.dmUuid === dmUuid);
}

async function look(host: ReadHost, of: Undo): Promise<Look> {
  const there = await same(host, of);
  if (there !== undefined) return { state: isHalfOpen(of, there) ? 'ours' : 'gone' };
  const other = (await mappings(host)).find(
    ({ name, luksUuid: uuid, beneath }) =>
      name === of.name || (uuid === of.luksUuid && beneath.includes(of.lower)),
  );
  if (other === undefined) return { state: 'ours' };
  return { state: 'not-ours', found: `${other.path} was opened by another process (${other.dmUuid})` };
}

/**
 * Whether an undo has opened the device under its first name, but has not resized it, or not yet
 * renamed it.
 */
function isHalfOpen({ dmUuid, name, size }: Undo, there: Mapping): boolean {
  const first = openedAs(dmUuid);
  return there.name === first && (first !== name || there.size !== size);
}

async function reopen(host: ChangeHost, of: Undo): Promise<void> {
  const first = openedAs(of.dmUuid);
  const key: KeyInput = { key: of.key, use: 'present', of: `${of.device} (LUKS ${of.luksUuid})` };
  if ((await same(host, of)) === undefined) {
    const device = await locate(host, { path: of.device, identity: of.identity });
    if (device === undefined)
      throw new RefusedError(`${of.device} is gone: it cannot be opened again`, {
        remedy: 'attach the device again; then: bofh recover',
      });
    await refuseTaken(host, { name: of.name, chosenBy: 'caller' });
    await host.run(luksOpen({ device, name: first, mode: of.mode, key, flags: of.flags }));
  }
  const now = await same(host, of);
  if (now === undefined || !isHalfOpen(of, now)) return;
  if (now.size !== of.size) await host.run(luksResize({ name: now.name, size: of.size, key }));
  if (now.name !== of.name) await host.run(renameMapping(now.name, of.name));
}
