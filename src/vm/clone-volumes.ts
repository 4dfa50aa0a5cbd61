import { contentInWords, probe } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import type { Bytes } from '../core/units.ts';
import { checkLvName, type LogicalVolume } from '../lvm/index.ts';
import type { Site } from '../site.ts';
import type { GuestConfig } from '../xen/index.ts';
import { byPlace, checkSpace, refuseSameName } from './checks.ts';
import { rootOf, wordsOf } from './guest-file.ts';
import { diskNames } from './names.ts';
import { pathsOf, renamedVolume } from './rename.ts';
import { isReplicated } from './replicas.ts';
import type { CheckedClone } from './request.ts';

/** A disk of a clone. */
export interface ClonedVolume {
  readonly vg: string;
  readonly name: string;
  readonly toVg: string;
  readonly to: string;
  readonly size: Bytes;
  /** The thin pool of the volume and its copy. */
  readonly pool?: string;
  readonly is: 'root' | 'swap' | 'other';
  /** UUID of its content. */
  readonly uuid: string | undefined;
}

const packed = 'pack its files and create another guest: bofh vm create NEW --source tar:FILE';

/** Plans the copies of the volumes of a guest that is off. Throws RefusedError for a disk that cannot be cloned. */
export async function clonedVolumes(
  host: ReadHost,
  of: {
    readonly site: Site;
    readonly name: string;
    readonly to: string;
    readonly request: CheckedClone;
    readonly guest: GuestConfig;
    readonly kept: readonly string[];
    readonly found: readonly { readonly lv: LogicalVolume }[];
  },
): Promise<readonly ClonedVolume[]> {
  const { site, name, to, request, guest, kept, found } = of;
  const [other] = kept.filter(
    (path) => !guest.disks.some((disk) => disk.devtype === 'cdrom' && wordsOf(disk) === path),
  );
  if (other !== undefined)
    throw new RefusedError(
      isReplicated(other)
        ? `the disk ${other} is replicated by DRBD: bofh clones only logical volumes`
        : `the disk ${other} is not a logical volume: bofh clones only logical volumes`,
      { remedy: packed },
    );
  if (found.length === 0)
    throw new RefusedError(`${name} has no disk`, {
      remedy: `create the new one from a source: bofh vm create ${to} --source SOURCE`,
    });
  const rootPath = rootOf(guest)?.path ?? '';
  const rootName = diskNames(site, name).root;
  const root =
    found.find(({ lv }) => pathsOf(lv, lv.name).includes(rootPath)) ??
    found.find(({ lv }) => lv.name === rootName) ??
    found[0];
  const volumes: ClonedVolume[] = [];
  for (const { lv } of found) {
    const wanted = renamedVolume(lv.name, { name, to, site });
    if (wanted === undefined)
      throw new RefusedError(
        `the volume ${lv.fullName} is not named after ${name}, so bofh has no name for its copy`,
        {
          remedy: `bofh lvm rename ${lv.fullName} ${name}-NAME; then write the new path into ${guest.file}`,
        },
      );
    const toVg = request.vg ?? lv.vg;
    checkLvName(toVg, wanted);
    const pool = toVg === lv.vg ? lv.pool?.name : undefined;
    const is = await roleOf(host, { lv, isRoot: root?.lv === lv, file: guest.file });
    volumes.push({ vg: lv.vg, name: lv.name, toVg, to: wanted, size: lv.size, ...present({ pool }), ...is });
  }
  const copies = volumes.map(({ toVg, to: copy, size, pool }) => ({ vg: toVg, name: copy, size, pool }));
  refuseSameName(
    copies.map((each) => ({ name: `${each.vg}/${each.name}` })),
    `leave out ${option('--vg', 'vg')}, or rename one of the volumes: bofh lvm rename VG/NAME ${name}-NAME; then write the new path into ${guest.file}`,
  );
  for (const { vg, pool, volumes: wanted } of byPlace(copies)) await checkSpace({ host, vg, pool, wanted });
  return volumes;
}

/** The role of a volume, from its content. */
async function roleOf(
  host: ReadHost,
  { lv, isRoot, file }: { readonly lv: LogicalVolume; readonly isRoot: boolean; readonly file: string },
): Promise<Pick<ClonedVolume, 'is' | 'uuid'>> {
  if (lv.active !== true)
    throw new RefusedError(`the volume ${lv.fullName} is not active`, {
      remedy: `bofh lvm activate ${lv.fullName}`,
    });
  const content = await probe(host, pathsOf(lv, lv.name)[0]);
  const uuid = content?.uuid;
  if (isRoot && content !== undefined && /^ext[234]$/.test(content.type)) return { is: 'root', uuid };
  if (isRoot)
    throw new RefusedError(
      `the root disk of the guest, ${lv.fullName}, holds ${contentInWords(content)}: bofh clones only a root filesystem of type ext2, ext3 or ext4 without a partition table`,
      { remedy: packed },
    );
  if (content === undefined)
    throw new RefusedError(
      `the volume ${lv.fullName} holds nothing that blkid knows: a copy would look blank`,
      {
        remedy: `remove it from ${file} until the clone is finished; if it has content, copy it yourself (dd)`,
      },
    );
  return { is: content.type === 'swap' ? 'swap' : 'other', uuid };
}
