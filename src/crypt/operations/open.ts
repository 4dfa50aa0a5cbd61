import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  locate,
  namingHolders,
  recognise,
  refuseHeld,
} from '../../blockdevice/index.ts';
import {
  inShell,
  shellWords,
  type ChangeHost,
  keyRef,
  type ReadHost,
  refuseExposed,
} from '../../command/index.ts';
import { CommandError, IdentityTaken, RefusedError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { absolutePath } from '../../file/path.ts';
import { openedRecovery } from '../manual-recovery.ts';
import { luksClose, luksOpen, renameMapping } from '../open-commands.ts';
import { checkKey } from '../check-key.ts';
import { checkName, freeName, refuseTaken } from '../names.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { headerOf, isLuksSignature, mappingOn, mappings, refuseDamaged } from '../reads.ts';
import { luksUuid, type Mapping } from '../schema.ts';

const args = z.strictObject({
  /** The encrypted device. */
  device: z.string().check(z.minLength(1)),
  /** Where the key comes from. */
  key: keyRef,
  /**
   * Name below /dev/mapper (default: the device-mapper name of the device, with `-luks` appended).
   */
  name: z.exactOptional(z.string()),
  /** Access mode (default: rw). */
  mode: z.exactOptional(z.enum(['ro', 'rw'])),
  /** The file with the detached header, if there is one. */
  header: z.exactOptional(absolutePath),
});

type Args = z.infer<typeof args>;

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  luksUuid,
  name: z.string(),
  mode: z.enum(['ro', 'rw']),
  /**
   * The name under which the mapping is opened, before any rename: it is part of the uuid that
   * cryptsetup gives the mapping, which a rename does not change.
   */
  mark: z.string(),
  /**
   * The uuid of the mapping, if the device was open already. Then this step only creates a file in
   * /run.
   */
  adopted: z.nullable(z.string()),
  header: z.exactOptional(absolutePath),
});

type Undo = z.infer<typeof undo>;

/**
 * Opens an encrypted device. A device that is open already is adopted, and the undo does not close
 * it (value: `adopted`).
 *
 * The tag: every mapping with the same name and device has the same uuid, CRYPT-LUKS2-UUID-NAME. So
 * the step opens the device with the tag as its name, and then renames the mapping: the kernel
 * keeps the uuid with the tag, and refuses a name that is taken.
 */
export const open = operation({
  kind: 'crypt.open',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: asked, mark, host, chosen }): Promise<Undo> => {
    if (asked.name !== undefined) checkName(asked.name);
    const { path } = await deviceNode(host, asked.device);
    const device = asked.device.startsWith('/') ? asked.device : path;
    const { identity } = await identityOf(host, device);
    const header = present({ header: asked.header });
    const uuid = await uuidOn(host, { device, ...header });
    const common = { device, identity, luksUuid: uuid, mark, mode: asked.mode ?? 'rw', ...header } as const;
    const there = await mappingOn(host, device);
    if (there !== undefined) return { ...common, name: adopt(asked, there, uuid), adopted: there.dmUuid };
    await checkKey(host, asked.key);
    await refuseHeld(host, device, await holders(host, device));
    const name = asked.name ?? chosen?.name ?? (await freeName(host, { device, uuid }));
    await refuseTaken(host, { name, chosenBy: asked.name === undefined ? 'us' : 'caller' });
    return { ...common, name, adopted: null };
  },
  claims: async ({ undo: { device, name, luksUuid: uuid, adopted, header }, on }) => {
    const { key, beneath } = await on(device);
    const needs = [key, ...beneath, `luks:${uuid}`, ...(header === undefined ? [] : [`file:${header}`])];
    return adopted === null ? { makes: [`map:${name}`], needs } : { needs: [`map:${name}`, ...needs] };
  },
  run: async ({ args: asked, undo: wanted, host }) => {
    await recheck(host, wanted);
    if (wanted.adopted !== null) {
      await writeNote(host, noteOf(wanted.mark));
      return null;
    }
    await openAs(host, wanted, asked);
    return null;
  },
  again: async ({ undo: made, host }) => {
    const { adopted, identity } = made;
    const device = await locate(host, { path: made.device, identity });
    if (device === undefined)
      throw new RefusedError(`the volume ${made.device} was removed`, {
        remedy: 'see which backups of its volume group have it: vgcfgrestore --list VG',
      });
    const there = await mappingOn(host, device);
    if (there !== undefined)
      throw new RefusedError(`${device} is open as ${there.path}`, {
        remedy: `close it: cryptsetup close ${inShell(there.name)}`,
      });
    if (adopted !== null)
      throw new RefusedError(`${device} was already open before this sequence, and is closed now`, {
        remedy: `open it again: ${reopening(made, device)}`,
      });
    return { ...made, device };
  },
  value: ({ undo: { name, adopted } }) => ({ name, path: `/dev/mapper/${name}`, adopted: adopted !== null }),
  look: async ({ undo: made, host }) => look(host, made),
  revert: async ({ undo: made, host }) => {
    if (made.adopted !== null) {
      await removeNote(host, noteOf(made.mark));
      return;
    }
    const mapping = await marked(host, made);
    if (mapping === undefined) return;
    await refuseHeld(host, mapping.path, await holders(host, mapping.path));
    await namingHolders(host, mapping.path, () => host.run(luksClose(mapping.name)));
  },
  describe: openedRecovery,
});

function reopening({ name, mode, header }: Undo, device: string): string {
  const how = [
    ...(mode === 'ro' ? ['--readonly'] : []),
    ...(header === undefined ? [] : ['--header', header]),
  ];
  return shellWords(['cryptsetup', 'open', ...how, device, name]);
}

async function uuidOn(
  host: ReadHost,
  { device, header }: { readonly device: string; readonly header?: string },
): Promise<string> {
  if (header !== undefined) await refuseExposed(host, header, 'there');
  await refuseDamaged(host, header ?? device);
  if (header !== undefined) return (await headerOf(host, header)).uuid;
  const found = await recognise(host, device);
  if (isLuksSignature(found)) return found.uuid;
  throw new RefusedError(`${device} is not a LUKS device: it holds ${contentInWords(found)}`, {
    remedy: 'see the encrypted devices: bofh crypt list',
  });
}

/**
 * Returns the name of the existing mapping. RefusedError if the mapping is not the requested one.
 */
function adopt({ name, mode = 'rw', device }: Args, there: Mapping, uuid: string): string {
  const refuse = (why: string): RefusedError =>
    new RefusedError(`${device} is open already as ${there.path}, ${why}`, {
      remedy: `use it as it is, or close it first: cryptsetup close ${inShell(there.name)}`,
    });
  if (there.luksUuid !== uuid) throw refuse('with another header');
  if (name !== undefined && name !== there.name) throw refuse(`and not as ${name}`);
  if (mode !== there.mode) throw refuse(there.mode === 'ro' ? 'read-only' : 'read/write');
  return there.name;
}

async function recheck(host: ChangeHost, wanted: Undo): Promise<void> {
  const { device, identity, luksUuid: uuid, adopted } = wanted;
  const again = { remedy: 'look at it: bofh crypt list; then run the command again' };
  const same =
    (await identityOf(host, device)).identity === identity && (await uuidOn(host, wanted)) === uuid;
  if (!same) throw new RefusedError(`${device} now names a different device; nothing was done`, again);
  const there = await mappingOn(host, device);
  if (there?.dmUuid === adopted || (there === undefined && adopted === null)) return;
  const now = there === undefined ? 'closed' : `open as ${there.path}`;
  throw new RefusedError(`${device} is now ${now}; nothing was done`, again);
}

async function openAs(host: ChangeHost, wanted: Undo, { key, name: asked }: Args): Promise<void> {
  const { device, name, mark, mode, luksUuid: uuid, header } = wanted;
  await refuseTaken(host, { name, chosenBy: asked === undefined ? 'us' : 'caller' });
  await host.run(
    luksOpen({
      device,
      name: mark,
      mode,
      header,
      key: { key, use: 'present', of: `${device} (LUKS ${uuid})` },
    }),
  );
  if ((await marked(host, wanted)) === undefined)
    throw new RefusedError(
      `cryptsetup reported success, but ${device} is not open with the tag of this step`,
      {
        remedy: 'see what is there: dmsetup info -c -o name,uuid',
      },
    );
  try {
    await host.run(renameMapping(mark, name));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'exists' || asked !== undefined) throw error;
    throw new IdentityTaken(`/dev/mapper/${name} was taken meanwhile`, { cause: error });
  }
  const now = (await marked(host, wanted))?.name;
  if (now !== name)
    throw new RefusedError(
      `dmsetup reported success, but ${device} is open as ${now ?? 'nothing'}, not as ${name}`,
      {
        remedy: 'see what is there: dmsetup info -c -o name,uuid',
      },
    );
}

/** Returns the mapping that has the tag of this sequence, whatever its name. */
async function marked(host: ReadHost, { luksUuid: uuid, mark }: Undo): Promise<Mapping | undefined> {
  const all = await mappings(host);
  return all.find((mapping) => mapping.luksUuid === uuid && mapping.dmUuid.endsWith(`-${mark}`));
}

async function look(host: ReadHost, made: Undo): Promise<Look> {
  if (made.adopted !== null) return lookAdopted(host, made);
  const mapping = await marked(host, made);
  if (mapping !== undefined) {
    // While the tag is its name, the step is unfinished: the name was not returned yet.
    const moved = [made.name, made.mark].includes(mapping.name) ? {} : { movedTo: `map:${mapping.name}` };
    return { state: 'ours', holders: await holders(host, mapping.path), ...moved };
  }
  const other = (await mappings(host)).find(({ name }) => name === made.name);
  if (other === undefined) return { state: 'gone' };
  return { state: 'not-ours', found: `${other.path} was opened by another process (${other.dmUuid})` };
}

async function lookAdopted(host: ReadHost, made: Undo): Promise<Look> {
  if ((await host.stat(noteOf(made.mark))) === undefined) return { state: 'gone' };
  const now = (await mappings(host)).find(({ dmUuid }) => dmUuid === made.adopted);
  return now === undefined || now.name === made.name
    ? { state: 'ours' }
    : { state: 'ours', movedTo: `map:${now.name}` };
}
