import * as z from 'zod/mini';
import { deviceNode } from '../../blockdevice/index.ts';
import { inShell, orMissing, type ReadHost, refuseExposed } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { absolutePath } from '../../file/path.ts';
import { lineBytes, lineText, word } from '../tab/fields.ts';
import { changedCrypttab, type CrypttabEntry, formatCrypttab, parseCrypttab } from '../tab/crypttab.ts';
import { tableOperation } from './table.ts';

const fields = {
  /** A device, or `UUID=…`. */
  device: word,
  /** A key file, or `none`: a passphrase is requested. */
  key: z.string().check(z.regex(/^(?:none$|\/)/, 'a file, or none: the key itself must not be in the table')),
  /** Options as in crypttab(5): `luks`, `discard`. */
  options: z.readonly(
    z.array(z.string().check(z.regex(/^[^,\0\ufffd]+$/, 'one option each, without commas'))),
  ),
};

const name = word.check(z.regex(/^[^\s/#][^\s/]*$/, 'a name of a mapping, without blanks and slashes'));
/** The table (default: /etc/crypttab). */
const file = z.exactOptional(absolutePath);

/** Appends a line to /etc/crypttab; creates the file if it does not exist. */
export const addCrypttab = tableOperation({
  kind: 'mount.crypttab.add',
  table: 'crypttab',
  args: z.strictObject({
    /** The table (default: /etc/crypttab). */
    file,
    /** Name of the mapping: `data` for /dev/mapper/data. */
    name,
    ...fields,
    /** Options as in crypttab(5): `luks`, `discard` (default: none). */
    options: z.exactOptional(fields.options),
  }),
  plan: async ({ args: { name: mapping, device, key, options = [] }, host, refuseKnown }) => {
    refuseKnown(mapping);
    const entry = { name: mapping, device, key, options };
    await check(host, entry);
    return { becomes: textOf(entry, formatCrypttab(entry)), key: mapping };
  },
});

/** Removes the line of a mapping from /etc/crypttab. */
export const removeCrypttab = tableOperation({
  kind: 'mount.crypttab.remove',
  table: 'crypttab',
  args: z.strictObject({
    /** The table (default: /etc/crypttab). */
    file,
    /** Name of the mapping in the table. */
    name,
  }),
  plan: async ({ args: { name: mapping }, find }) => ({ was: find(mapping), key: mapping }),
});

/** Changes fields of the line of a mapping in /etc/crypttab. */
export const changeCrypttab = tableOperation({
  kind: 'mount.crypttab.change',
  table: 'crypttab',
  args: z.strictObject({
    /** The table (default: /etc/crypttab). */
    file,
    /** Name of the mapping in the table. */
    name,
    /** The new fields; a missing one stays as it is. */
    to: z
      .partial(
        z.strictObject({
          /** Name of the mapping: `data` for /dev/mapper/data. */
          name,
          ...fields,
        }),
      )
      .check(
        z.refine((to) => Object.values(to).some((each) => each !== undefined), 'name a field to change'),
      ),
  }),
  plan: async ({ args: { name: mapping, to }, host, find, refuseKnown, content }) => {
    const was = find(mapping);
    const old = parseCrypttab(content).lines.find(({ number }) => number === was.number);
    if (old === undefined) throw new TypeError('the line that was found is not there');
    const entry = {
      name: to.name ?? old.name,
      device: to.device ?? old.device,
      key: to.key ?? old.key,
      options: to.options ?? old.options,
    };
    refuseKnown(entry.name, was);
    await check(host, entry);
    const becomes = textOf(entry, changedCrypttab(old.bytes, to));
    if (becomes === was.text)
      throw new UsageError(`the line of ${mapping} is already as requested: nothing would change`);
    return { was, becomes, key: mapping };
  },
});

/** Formats a line, and checks that it parses to the same entry. */
function textOf(entry: CrypttabEntry, bytes: string): string {
  const text = lineText(bytes);
  const [read] = parseCrypttab(bytes).lines;
  const isSame =
    read?.name === entry.name &&
    read.device === entry.device &&
    read.key === entry.key &&
    read.options.join(',') === entry.options.join(',');
  if (text === undefined || !isSame || lineBytes(text) !== bytes)
    throw new UsageError(`this entry for ${entry.name} cannot be written as one line of crypttab(5)`);
  return text;
}

/** Checks for what would stop the boot, because there is no validator for a crypttab. */
async function check(host: ReadHost, { device, key, options }: CrypttabEntry): Promise<void> {
  if (!options.some((each) => ['nofail', 'noauto'].includes(each))) await refuseMissing(host, device);
  // `/key:UUID=…` is a file on another device, and with /dev/urandom each boot makes a new key.
  if (key === 'none' || key.includes(':') || key.startsWith('/dev/')) return;
  const stat = await host.stat(key);
  if (stat === undefined)
    throw new RefusedError(`there is no key file ${key}`, {
      remedy: `create it first, readable only by root: install --mode=0600 FILE ${inShell(key)}`,
    });
  await refuseExposed(host, key, 'there');
  if (stat.kind === 'file' && (stat.mode & 0o077) !== 0)
    throw new RefusedError(`the key file ${key} can be read by others (mode ${stat.mode.toString(8)})`, {
      remedy: `chmod go= ${inShell(key)}`,
    });
}

async function refuseMissing(host: ReadHost, device: string): Promise<void> {
  if ((await orMissing(deviceNode(host, device))) === undefined)
    throw new RefusedError(
      `there is no device ${device}: without the option nofail the host would wait for it at boot`,
      { remedy: 'attach it first; or add nofail to the options of the line' },
    );
}
