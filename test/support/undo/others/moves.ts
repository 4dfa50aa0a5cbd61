import { posix } from 'node:path';
import { deviceByNumber } from '../../../../src/simulator/world/devices.ts';
import type { DrbdResource } from '../../../../src/simulator/world/drbd.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { walk } from '../../../../src/simulator/world/tree.ts';
import type { Deed } from './theirs.ts';

/**
 * A name that a sequence has given to an object which it removes after its commit; the neighbours have names
 * of other sequences.
 */
const volumeGone = /^bofh_gone_(?!0{12})/;
const fileGone = /\/\.bofh-gone-bofh\.(?!0{12})[^/]*$/;

/** An object that will be destroyed gets a name of its owner again, or, for a replica, is written to. */
export function movesOf({ world }: SimulatedHost): readonly Deed[] {
  const isBtrfs = new Map(world.mounts.map(({ storage, path, type }) => [storage, { path, type }]));
  const files = [...world.live].flatMap(([storage, { tree }]) => {
    const at = storage === 'disk:vda' ? { path: '', type: 'ext4' } : isBtrfs.get(storage);
    if (tree === undefined || at === undefined) return [];
    return [...walk(tree)].map(([path]) => at.path + path).filter((path) => fileGone.test(path));
  });
  return [
    ...world.lvm.flatMap(({ name: vg, lvs }) =>
      lvs.filter(({ name }) => volumeGone.test(name)).map((lv) => volumeBack(vg, lv)),
    ),
    ...world.lvm.filter(({ name }) => volumeGone.test(name)).map(groupBack),
    ...files.map(fileBack),
    ...world.drbd.resources.filter(({ name }) => name === 'web1').map(written),
  ];
}

function volumeBack(vg: string, { name, uuid }: { readonly name: string; readonly uuid: string }): Deed {
  return {
    title: `${vg}/${name} is called web1-back`,
    act: ({ admin }) => {
      admin.lvrename(vg, name, 'web1-back');
      return {
        isKept: ({ world }) => world.lvm.some(({ lvs }) => lvs.some((lv) => lv.uuid === uuid)),
      };
    },
  };
}

function groupBack({ name, uuid }: { readonly name: string; readonly uuid: string }): Deed {
  return {
    title: `the group ${name} is called web1back`,
    act: ({ admin }) => {
      admin.vgrename(name, 'web1back');
      return { isKept: ({ world }) => world.lvm.some((vg) => vg.uuid === uuid) };
    },
  };
}

function fileBack(path: string): Deed {
  const back = posix.join(posix.dirname(path), 'web1.back');
  return {
    title: `${path} is called web1.back`,
    act: ({ admin }) => {
      admin.rename(path, back);
      return { isKept: (host) => isThere(host, posix.basename(back)) };
    },
  };
}

function isThere({ world }: SimulatedHost, path: string): boolean {
  return [...world.live.values()].some(
    ({ tree }) => tree !== undefined && [...walk(tree)].some(([each]) => posix.basename(each) === path),
  );
}

/** Of a resource that is up. */
export function written({ name }: DrbdResource): Deed {
  const find = ({ world }: SimulatedHost): DrbdResource | undefined =>
    world.drbd.resources.find((each) => each.name === name);
  return {
    title: `${name} is primary, and written to`,
    act: (host) => {
      const resource = find(host);
      const { role = 'Secondary', volumes = [] } = resource ?? {};
      host.admin.setDrbd(name, { role: 'Primary' });
      host.admin.drbdWrite(name);
      host.admin.setDrbd(name, { role });
      const storages = volumes.flatMap(({ lower }) => deviceByNumber(host.world, lower)?.storage ?? []);
      const dataOf = ({ world: { live } }: SimulatedHost): string =>
        storages.map((each) => [live.get(each)?.generation, live.get(each)?.replica].join(' ')).join('; ');
      const data = dataOf(host);
      // A peer that was connected has all of it.
      const isKept = (later: SimulatedHost): boolean =>
        resource?.connection === 'Connected' || (find(later)?.discards !== true && dataOf(later) === data);
      return { isKept };
    },
  };
}
