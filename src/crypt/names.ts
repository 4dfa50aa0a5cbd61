import { posix } from 'node:path';
import { deviceNode } from '../blockdevice/index.ts';
import { kernelText } from '../blockdevice/node.ts';
import { namesIn, type ReadHost } from '../command/index.ts';
import { IdentityTaken, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';

/**
 * Characters that udev and device-mapper do not escape in a name (libdevmapper.h,
 * DM_STRING_MANGLING_AUTO).
 */
const plain = /^[\w#+.:=@][\w#+.:=@-]*$/;
/** DM_NAME_LEN is 128 with the NUL at its end (linux/dm-ioctl.h). */
const longest = 127;
/** Suffixes for the default name if it is taken: `-2` to `-9`. */
const choices = ['', '-2', '-3', '-4', '-5', '-6', '-7', '-8', '-9'] as const;

/** UsageError for an invalid name of an open device. */
export function checkName(name: string): void {
  const why = plain.test(name)
    ? name.length > longest
      ? `has more than ${longest} characters`
      : name === 'control' || name === '.' || name === '..' || name.startsWith('bofh.')
        ? 'is reserved'
        : undefined
    : 'must consist of letters, digits and # + . : = @ _ -, and not begin with -';
  if (why !== undefined) throw new UsageError(`the name "${name}" of an open device ${why}`);
}

/**
 * Returns a free name for an open device: the device-mapper name of the device with `-luks`
 * appended. For any other device, `luks-` and its uuid, because kernel names change between boots.
 */
export async function freeName(
  host: ReadHost,
  { device, uuid }: { readonly device: string; readonly uuid: string },
): Promise<string> {
  const { number } = await deviceNode(host, device);
  const lower = await kernelText(host, `/sys/dev/block/${number}/dm/name`);
  const own = lower === undefined ? undefined : `${lower}-luks`;
  const base = own !== undefined && plain.test(own) && own.length < longest - 1 ? own : `luks-${uuid}`;
  const taken = await Promise.all(choices.map((more) => whoHas(host, `${base}${more}`)));
  const free = choices.find((_, index) => taken[index] === undefined);
  if (free !== undefined) return `${base}${free}`;
  throw new RefusedError(`${base} and all names up to ${base}-9 are taken`, {
    remedy: `give it another name: ${option('--name NAME', 'name')}`,
  });
}

/**
 * Returns the name that the pattern of a site (`{name}-crypt`) gives to a device-mapper device;
 * undefined for any other device.
 */
export async function patternName(
  host: ReadHost,
  { device, pattern }: { readonly device: string; readonly pattern: string },
): Promise<string | undefined> {
  const { number } = await deviceNode(host, device);
  const lower = await kernelText(host, `/sys/dev/block/${number}/dm/name`);
  return lower === undefined ? undefined : pattern.replace('{name}', () => lower);
}

/**
 * Returns the name under which a mapping was opened: the last part of the uuid that cryptsetup gave
 * it.
 */
export function openedAs(dmUuid: string): string {
  const name = /^CRYPT-LUKS[12]-[0-9a-f]{32}-(?<name>.+)$/s.exec(dmUuid)?.groups?.name;
  if (name !== undefined && plain.test(name) && name.length <= longest) return name;
  throw new RefusedError(`bofh could not open the mapping with the device-mapper uuid "${dmUuid}" again`, {
    remedy: 'close it with cryptsetup(8), without an undo',
  });
}

/** RefusedError if the name is taken; IdentityTaken if bofh chose the name. */
export async function refuseTaken(
  host: ReadHost,
  { name, chosenBy }: { readonly name: string; readonly chosenBy: 'caller' | 'us' },
): Promise<void> {
  const who = await whoHas(host, name);
  if (who === undefined) return;
  const message = `/dev/mapper/${name} is taken: ${who}`;
  if (chosenBy === 'us') throw new IdentityTaken(message);
  throw new RefusedError(message, { remedy: `give it another name: ${option('--name NAME', 'name')}` });
}

/**
 * Returns what has a name. A file at the path of the device node counts too: neither udev nor
 * device-mapper would replace it.
 */
async function whoHas(host: ReadHost, name: string): Promise<string | undefined> {
  for (const block of await namesIn(host, '/sys/block')) {
    if ((await kernelText(host, `/sys/block/${block}/dm/name`)) !== name) continue;
    const uuid = await kernelText(host, `/sys/block/${block}/dm/uuid`);
    return `the device ${block} has that name${uuid === undefined || uuid === '' ? '' : ` (${uuid})`}`;
  }
  const path = posix.join('/dev/mapper', name);
  const kind = (await host.stat(path))?.kind;
  return kind === undefined ? undefined : `a ${kind} is there`;
}
