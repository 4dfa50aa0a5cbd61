import { deviceNode, reachAs } from '../../blockdevice/index.ts';
import { magicsOn } from '../../blockdevice/wipe/commands.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import type { ConfiguredVolume } from '../config.ts';
import { blocksAt, type MetadataFormat } from '../metadata-commands.ts';
import { moduleVersion } from '../reads.ts';
import type { Here } from './known-resource.ts';
import { option } from '../../core/option.ts';

/**
 * The volume with the requested number; if none was requested, the only volume. Throws RefusedError
 * if it has no disk or no internal metadata on this host.
 */
export function volumeOf(
  { name, here: { volumes } }: Here,
  asked: number | undefined,
): ConfiguredVolume & { readonly disk: string } {
  const numbers = volumes.map(({ volume }) => String(volume)).join(', ');
  const found =
    asked === undefined && volumes.length === 1 ? volumes[0] : volumes.find((each) => each.volume === asked);
  if (found === undefined)
    throw new RefusedError(
      asked === undefined
        ? volumes[0] === undefined
          ? `${name} has no volume on this host`
          : `${name} has the volumes ${numbers}, and none was named`
        : `${name} has no volume ${String(asked)} on this host`,
      {
        remedy:
          volumes[0] === undefined
            ? `see its configuration: bofh drbd show ${name}`
            : `name one of ${numbers}: ${option(`--volume ${String(volumes[0].volume)}`, `volume: ${String(volumes[0].volume)}`)}`,
      },
    );
  const { disk, metadata, volume } = found;
  if (disk === undefined || metadata !== 'internal')
    throw disk === undefined
      ? new RefusedError(`volume ${String(volume)} of ${name} has no disk on this host`, {
          remedy: `run the command on a host on which it has one; see: bofh drbd show ${name}`,
        })
      : new RefusedError(`volume ${String(volume)} of ${name} has no internal metadata`, {
          remedy: `bofh creates only internal metadata; by hand: drbdadm create-md ${name}/${String(volume)}`,
        });
  return { ...found, disk };
}

/**
 * The metadata format of the loaded module. Without a loaded module, drbdadm would use the format
 * of DRBD 9.
 */
export async function formatFor(host: ReadHost): Promise<MetadataFormat> {
  const version = await moduleVersion(host);
  if (version === undefined)
    throw new RefusedError('the module of DRBD is not loaded, so the format of its metadata is unknown', {
      remedy: 'load it: modprobe drbd',
    });
  const major = /^(?<major>8\.4|9)\./.exec(version)?.groups?.major;
  if (major === undefined)
    throw new RefusedError(
      `bofh does not know the metadata format of version ${version} of the DRBD module`,
      {
        remedy: 'load module 8.4 or 9: bofh knows only these',
      },
    );
  return major === '9' ? 'v09' : 'v08';
}

/** Number of bytes that drbdmeta reads to detect data (SO_MUCH of drbdmeta.c 9.22), in whole blocks. */
const head: Bytes = 68 * 1024;

/**
 * Throws unless the caller names all content of a device, and no other. Content that stays must end before
 * the metadata.
 */
export async function checkContent(
  host: ReadHost,
  {
    device,
    from,
    overwrite = [],
    keep = [],
    keepBytes,
  }: {
    readonly device: string;
    readonly from: Bytes;
    readonly overwrite?: readonly string[];
    readonly keep?: readonly string[];
    readonly keepBytes?: Bytes;
  },
): Promise<{ readonly replaces: 'nothing' | 'metadata'; readonly content: 'blank' | 'named' }> {
  const { path } = await deviceNode(host, device);
  if (keepBytes !== undefined && keepBytes > from)
    throw new RefusedError(
      `${device} has ${formatSize(keepBytes)} of data, and the metadata would begin at ${formatSize(from)}; nothing was written`,
      { remedy: 'make the device larger first' },
    );
  // A signature inside the first `keepBytes` bytes, which stay, need not be named.
  const magics = (await host.run(magicsOn(path))).filter(
    ({ offset, length }) => offset + length > (keepBytes ?? 0),
  );
  const there = [...new Map(magics.map((magic) => [magic.uuid ?? magic.type, magic])).entries()];
  const [old, others] = [there.filter(isMetadata), there.filter((each) => !isMetadata(each))];
  const isFilled =
    keepBytes === undefined && (await host.run(blocksAt(path, { from: 0, count: head }))).size > 0;
  const gone = [...old.map(([name]) => name), ...(others.length === 0 && isFilled ? ['data'] : [])];
  refuseUnnamed(device, { what: 'overwrite', option: 'overwrite', names: gone, said: overwrite });
  for (const [, { type }] of others) {
    const reach = await reachAs(host, device, type);
    if (reach !== 'unknown' && reach <= from) continue;
    const how =
      reach === 'unknown'
        ? `${type}, whose size is unknown to bofh`
        : `${type} that reaches to ${formatSize(reach)}`;
    throw new RefusedError(
      `${device} holds ${how}; the metadata would begin at ${formatSize(from)}; nothing was written`,
      {
        code: 'has-data',
        remedy: `make the device larger; or its content smaller: bofh block resize ${device} SIZE; or use another device`,
      },
    );
  }
  refuseUnnamed(device, { what: 'keep', option: 'keep', names: others.map(([name]) => name), said: keep });
  return {
    replaces: old.length > 0 ? 'metadata' : 'nothing',
    content: gone.length + others.length > 0 || isFilled || keepBytes !== undefined ? 'named' : 'blank',
  };
}

function isMetadata([, { type }]: readonly [string, { readonly type: string }]): boolean {
  return type === 'drbd';
}

function refuseUnnamed(
  device: string,
  {
    what,
    option: key,
    names,
    said,
  }: {
    readonly what: 'overwrite' | 'keep';
    readonly option: 'overwrite' | 'keep';
    readonly names: readonly string[];
    readonly said: readonly string[];
  },
): void {
  const missing = names.filter((name) => !said.includes(name));
  const wrong = said.filter((name) => !names.includes(name));
  if (wrong.length > 0)
    throw new RefusedError(`${device} does not hold ${wrong.join(' and ')}; nothing was written`, {
      remedy: `see what it holds: wipefs ${device}`,
    });
  if (missing.length > 0)
    throw new RefusedError(
      `${device} holds ${missing.join(' and ')}, which was not named: ${what === 'keep' ? 'it would become the content of the DRBD volume' : 'the new metadata of DRBD would overwrite it'}; nothing was written`,
      {
        code: 'has-data',
        remedy: `to ${what} it, name it: ${option(`--${key} ${names.join(',')}`, `${key}: ${JSON.stringify(names)}`)}`,
      },
    );
}
