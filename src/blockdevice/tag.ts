import { namesIn, type ReadHost, textOf } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { blkidProbe, blkidTagged, type Tag, type Tagged } from './commands.ts';
import { nodeNamed } from './holders/device.ts';

const pattern = /^(?<name>UUID|LABEL|PARTUUID|PARTLABEL|ID)=(?<value>.+)$/s;

/**
 * Parses a tag of fstab(5), such as `UUID=…`, and removes its quotes as mount(8) does. Undefined:
 * the text is not a tag.
 */
export function tagIn(text: string): Tag | undefined {
  const { name, value } = pattern.exec(text)?.groups ?? {};
  if (name === undefined || value === undefined) return undefined;
  const quoted = /^(?<quote>["'])(?<inner>.+)\k<quote>$/s.exec(value)?.groups?.inner;
  if (quoted === undefined && /^["']/.test(value))
    throw new UsageError(`${text} is not a device: the quote is not closed, or the value is empty`);
  return { name: name as Tag['name'], value: quoted ?? value };
}

/**
 * Returns the link that udev creates for a tag. ASCII characters other than letters, digits and
 * these are written as \x20; all others are kept (blkid_encode_string of util-linux,
 * encode_devnode_name of systemd).
 */
export function linkOf({ name, value }: Tag): string {
  const encoded = value.replace(
    /[^\w#+\-.:=@\u0080-\u{10ffff}]/gu,
    (unsafe) => `\\x${unsafe.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `/dev/disk/by-${name.toLowerCase()}/${encoded}`;
}

/**
 * Returns the path of the device with a tag. If udev is running, this is the link of udev, even if
 * the link does not exist. Without udev every device is probed, as mount(8) does; then undefined
 * means that no device has the tag. RefusedError if several have it.
 */
export async function pathOfTag(host: ReadHost, tag: Tag): Promise<string | undefined> {
  const link = linkOf(tag);
  if ((await host.stat(link)) !== undefined) return link;
  if ((await host.stat('/run/udev/control')) !== undefined) return link;
  const { name, value } = tag;
  const said = `${name}=${value}`;
  if (name === 'ID')
    throw new RefusedError(
      `${said}: only udev can find a device by this kind of id, and udev does not run on this host`,
      {
        remedy: 'name the device by its path or its UUID',
      },
    );
  const [first, ...others] = await host.run(blkidTagged({ name, value }));
  if (first === undefined) await refuseIfNoDeviceReadable(host);
  if (first === undefined || others.every((other) => isSameBtrfs(first, other))) return first?.path;
  const paths = [first, ...others].map(({ path }) => path).join(', ');
  throw new RefusedError(`${said} is on more than one device: ${paths}`, {
    remedy: 'give the path of the device that you mean',
  });
}

/**
 * Whether two devices belong to one btrfs: the kernel finds the whole filesystem through either of
 * them.
 */
function isSameBtrfs(one: Tagged, other: Tagged): boolean {
  return (
    one.type === 'btrfs' &&
    other.type === 'btrfs' &&
    one.uuid === other.uuid &&
    one.member !== undefined &&
    other.member !== undefined &&
    one.member !== other.member
  );
}

/**
 * RefusedError if the user may not read devices. blkid then reports that no device has the tag, but
 * for a named device it reports that access is denied. So this probes the first device to find out.
 */
async function refuseIfNoDeviceReadable(host: ReadHost): Promise<void> {
  for (const block of await namesIn(host, '/sys/block')) {
    const node = nodeNamed(block);
    const size = await textOf(host, `/sys/block/${block}/size`);
    if (size === undefined || size === '0\n' || (await host.stat(node)) === undefined) continue;
    await host.run(blkidProbe(node));
    return;
  }
}
