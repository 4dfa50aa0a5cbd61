import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { holders, size as sizeOfDevice } from '../../blockdevice/index.ts';
import { type ChangeHost, type KeyInput, keyRef, type ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../errors.ts';
import { type Bytes, formatSize } from '../../units.ts';
import { resizedByHand } from '../by-hand.ts';
import { luksResize } from '../open-commands.ts';
import { cryptStatus } from '../read-commands.ts';
import { checkKey } from '../content.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { headerOf, lowerPath, mappingNamed, mappingOn, mappings } from '../reads.ts';
import { luksUuid, type Mapping } from '../schema.ts';

const args = z.strictObject({
  /** NAME, or /dev/mapper/NAME; or the device beneath. */
  name: z.exactOptional(z.string()),
  device: z.exactOptional(z.string()),
  /** Bytes, a multiple of 512. Without it: as much as the device beneath has room for. */
  size: z.exactOptional(z.int().check(z.positive())),
  /** LUKS2 keeps the volume's key in the kernel, where nobody can read it: resizing takes a key then. */
  key: z.exactOptional(keyRef),
});

type Args = z.infer<typeof args>;

const undo = z.strictObject({
  name: z.string(),
  /** It tells the mapping from any other of its name. */
  dmUuid: z.string(),
  luksUuid,
  device: z.string(),
  from: z.int(),
  to: z.int(),
  /** null: it is resized without one. */
  key: z.nullable(keyRef),
  /** It has that size already: a file on /run is then all that we make. */
  note: z.nullable(z.string()),
});

type Undo = z.infer<typeof undo>;

/**
 * Makes an open encrypted device smaller or larger; what is on it is not touched, and must fit. It lasts until it is closed:
 * the next opening takes all of the device beneath. A device that has the size already is left as it is, and that is success.
 */
export const resize = operation({
  kind: 'crypt.resize',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: asked, mark, host }): Promise<Undo> => {
    const mapping = await wanted(host, asked);
    const { device } = await lowerPath(host, mapping);
    const to = await target(host, { asked, mapping, device });
    const key = (await needsKey(host, mapping)) ? givenKey(asked, mapping) : null;
    if (key !== null) await checkKey(host, key);
    const { name, dmUuid, luksUuid: uuid, size: from } = mapping;
    const note = from === to ? noteOf(mark) : null;
    return { name, dmUuid, luksUuid: uuid, device, from, to, key, note };
  },
  claims: async ({ undo: { name }, on }) => {
    const { key, beneath } = await on(`/dev/mapper/${name}`);
    return { changes: [key], needs: beneath };
  },
  run: async ({ undo: of, host }) => {
    const now = await same(host, of);
    if (now?.name !== of.name || now.size !== of.from)
      throw new RefusedError(`/dev/mapper/${of.name} is not as it was; nothing was done`, {
        remedy: `look at it (bofh crypt status ${of.name}), then give the command again`,
      });
    if (of.note === null) await change(host, of, { mapping: now, to: of.to });
    else {
      await writeNote(host, of.note);
    }
    return null;
  },
  value: ({ undo: { name, from, to } }) => ({ name, path: `/dev/mapper/${name}`, was: from, size: to }),
  look: async ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    if (of.note !== null) {
      await removeNote(host, of.note);
      return;
    }
    const now = await same(host, of);
    if (now?.size === of.to) await change(host, of, { mapping: now, to: of.from });
  },
  describe: resizedByHand,
});

async function wanted(
  host: ReadHost,
  { name, device }: Args,
): Promise<Mapping & { readonly luksUuid: string }> {
  if ((name === undefined) === (device === undefined))
    throw new UsageError(
      'say which device is to be resized: by its name, or by the device beneath, not by both',
    );
  const mapping = name === undefined ? await mappingOn(host, device ?? '') : await mappingNamed(host, name);
  const { luksUuid: uuid } = mapping ?? {};
  if (mapping !== undefined && uuid !== undefined) return { ...mapping, luksUuid: uuid };
  throw new RefusedError(`${name ?? device ?? ''} is not open as a LUKS device: only that can be resized`, {
    remedy:
      'bofh crypt list shows what is open; one that is closed takes all of its device when it is opened',
  });
}

async function target(
  host: ReadHost,
  {
    asked: { size },
    mapping,
    device,
  }: { readonly asked: Args; readonly mapping: Mapping; readonly device: string },
): Promise<Bytes> {
  const { dataOffset, sectorSize, requirements, uuid } = await headerOf(host, device);
  if (uuid !== mapping.luksUuid || requirements.length > 0)
    throw new RefusedError(
      `${device} cannot be resized: ${requirements.length > 0 ? `it is under ${requirements.join(', ')}` : 'its header is elsewhere'}`,
      { remedy: `look at it: cryptsetup luksDump ${device}` },
    );
  const room = Math.floor(((await sizeOfDevice(host, device)) - dataOffset) / sectorSize) * sectorSize;
  const to = size ?? room;
  if (to % sectorSize !== 0 || to % 512 !== 0)
    throw new UsageError(
      `${to} bytes are no whole sectors of ${mapping.path}: it takes multiples of ${sectorSize}`,
    );
  if (to <= room && to > 0) return to;
  throw new RefusedError(
    `${mapping.path} cannot have ${formatSize(to)}: ${device} has room for ${formatSize(room)}`,
    {
      remedy: 'make the device beneath larger first, or ask for less',
    },
  );
}

async function needsKey(host: ReadHost, { name, type }: Mapping): Promise<boolean> {
  return type === 'LUKS2' && (await host.run(cryptStatus(name)))?.keyLocation === 'keyring';
}

function givenKey({ key }: Args, { path }: Mapping): NonNullable<Undo['key']> {
  if (key !== undefined) return key;
  throw new RefusedError(
    `${path} can be resized only with a key: the kernel does not give the volume's key away`,
    {
      remedy: 'say where its key comes from: --key file:/PATH',
    },
  );
}

async function change(
  host: ChangeHost,
  { device, luksUuid: uuid, dmUuid, key }: Undo,
  { mapping, to }: { readonly mapping: Mapping; readonly to: Bytes },
): Promise<void> {
  const input: KeyInput | undefined =
    key === null ? undefined : { key, use: 'present', of: `${device} (LUKS ${uuid})` };
  await host.run(luksResize({ name: mapping.name, size: to, key: input }));
  const now = (await same(host, { dmUuid }))?.size;
  if (now !== to)
    throw new RefusedError(
      `cryptsetup reported success, but ${mapping.path} has ${now ?? 'no'} bytes, not ${to}`,
      {
        remedy: `look at it: cryptsetup status ${mapping.name}`,
      },
    );
}

async function same(host: ReadHost, { dmUuid }: Pick<Undo, 'dmUuid'>): Promise<Mapping | undefined> {
  return (await mappings(host)).find((mapping) => mapping.dmUuid === dmUuid);
}

async function look(host: ReadHost, of: Undo): Promise<Look> {
  if (of.note !== null) return { state: (await host.stat(of.note)) === undefined ? 'gone' : 'ours' };
  const now = await same(host, of);
  // Closed, it has no size; open again, it has all of the device.
  if (now === undefined || now.size === of.from) return { state: 'gone' };
  if (now.size !== of.to)
    return {
      state: 'not-ours',
      found: `${now.path} has ${now.size} bytes by now, which somebody else gave it`,
    };
  const moved = now.name === of.name ? {} : { movedTo: `map:${now.name}` };
  // Going back to a smaller size can hurt whoever uses it; to a larger one nobody.
  return { state: 'ours', holders: of.from < of.to ? await holders(host, now.path) : [], ...moved };
}
