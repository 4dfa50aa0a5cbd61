import { loopMajor, openers } from '../../../../src/simulator/world/devices.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { removeMount } from '../../../../src/simulator/tools/mount/mounts.ts';
import type { LogicalVolume, Mount } from '../../../../src/simulator/world/parts.ts';
import { resolve } from '../../../../src/simulator/world/resolve.ts';
import { settle, type World } from '../../../../src/simulator/world/world.ts';
import { posix } from 'node:path';
import { inodeOf, walk } from '../../../../src/simulator/world/tree.ts';
import { laterFile } from './theirs.ts';
import { changedPaths, notTheirs } from './touched.ts';
import { fork } from '../../../../src/simulator/fork.ts';
import { stateOf } from '../../../../src/simulator/matrix/judge.ts';
import {
  judge,
  leftovers,
  recoverAll,
  type Subject,
  type Then,
  type Tried,
  words,
} from '../../../../src/simulator/matrix/trial.ts';
import { neighbourhood } from '../stage.ts';

/** Others end the access to something: no content changes. */
export interface Withdrawal {
  readonly title: string;
  readonly away: (host: SimulatedHost) => void;
}

/** What of the parts of a host others can close now: mounts, loop devices, open LUKS devices, active volumes. */
export function withdrawalsOf({ world }: SimulatedHost): readonly Withdrawal[] {
  const { world: old } = neighbourhood();
  const mounts = world.mounts
    .filter(({ path }) => !old.mounts.some((each) => each.path === path))
    .filter((mount) => !isUsed(world, mount))
    .map(({ path }) => ({
      title: `${path} is not mounted`,
      away: (host: SimulatedHost): void => {
        const top = host.world.mounts.findLast((each) => each.path === path);
        if (top !== undefined) removeMount(host.world, top);
      },
    }));
  const mappings = world.mappings
    .filter(({ name }) => !old.mappings.some((each) => each.name === name))
    .filter(({ number }) => openers(world, number).length === 0)
    .map(({ name }) => ({
      title: `${name} is not open`,
      away: ({ admin }: SimulatedHost) => admin.luksClose(name),
    }));
  const loops = [...world.loops.values()]
    .filter(({ minor }) => ![...old.loops.values()].some((each) => each.minor === minor))
    .filter(({ minor }) => openers(world, `${String(loopMajor)}:${String(minor)}`).length === 0)
    .map(({ minor }) => ({
      title: `/dev/loop${String(minor)} is not attached`,
      away: ({ admin }: SimulatedHost) => admin.detachLoop(`/dev/loop${String(minor)}`),
    }));
  const volumes = world.lvm.flatMap(({ name: vg, lvs }) =>
    lvs
      .filter(({ uuid }) => world.active.has(uuid) && !old.active.has(uuid))
      .flatMap((lv) => {
        // lvm deactivates a classic snapshot with its origin.
        const together = [lv, ...lvs.filter((each) => isClassicSnapshot(each) && each.origin === lv.uuid)];
        const isOpen = together.some(
          ({ uuid }) =>
            openers(world, `${String(world.dmMajor)}:${String(world.active.get(uuid))}`).length > 0,
        );
        if (isOpen || isClassicSnapshot(lv) || lv.layout?.includes('pool') === true) return [];
        return {
          title: `${vg}/${lv.name} is not active`,
          away: (host: SimulatedHost): void => {
            for (const { uuid } of together) host.world.active.delete(uuid);
            host.world.revision += 1;
          },
        };
      }),
  );
  const all = [...mounts, ...mappings, ...loops, ...volumes];
  if (all.length === 0) return [];
  const down = (host: SimulatedHost): void => {
    for (let turn = 0; turn < 9; turn += 1)
      for (const { away } of withdrawalsOf(host).slice(0, -1)) away(host);
  };
  return [...all, { title: 'all of it', away: down }];
}

function isClassicSnapshot({ origin, pool }: LogicalVolume): boolean {
  return origin !== undefined && pool === undefined;
}

function isUsed(world: World, { id, path }: Mount): boolean {
  return (
    world.mounts.some((each) => each.parent === id && each.id !== id) ||
    [...world.held.keys()].some((each) => each.startsWith(`${path}/`)) ||
    [...world.loops.values()].some((loop) => loop.path.startsWith(`${path}/`))
  );
}

/** Recovers a host after a withdrawal, and if that is stuck, again when the access is given back. */
export async function tryWithdrawal(
  subject: Subject,
  {
    host: waiting,
    before,
    then,
  }: { readonly host: SimulatedHost; readonly before: SimulatedHost; readonly then: Then },
  { away }: Withdrawal,
): Promise<Tried> {
  const host = fork(waiting);
  away(host);
  const first = await recoverAll(host, { operations: subject.operations });
  giveBack(before, host);
  const stuck = first.how !== 'done';
  const last = stuck ? await recoverAll(host.restart(), { operations: subject.operations }) : first;
  if (last.how !== 'done')
    return { ended: 'neither', stuck, why: last.how === 'thrown' ? words(last.error) : last.how };
  if (leftovers(host).length > 0)
    return { ended: 'neither', stuck, why: `recovery left ${leftovers(host).join(', ')}` };
  const judged = await judge(subject, host, 'before', then);
  if (judged.ended === 'before') return { stuck, ...judged };
  // After a boot the undo leaves what it finds active again.
  const { known } = await subject.reference(then);
  const plain = fork(waiting);
  await recoverAll(plain, { operations: subject.operations });
  return stateOf(plain, known) === stateOf(host, known)
    ? { ended: 'before', stuck, why: '' }
    : { stuck, ...judged };
}

/** Gives the access back that there was before the sequence, if its object is still there. */
function giveBack(before: SimulatedHost, now: SimulatedHost): void {
  const { world: old } = before;
  const { world } = now;
  for (const vg of world.lvm)
    for (const { uuid } of vg.lvs) {
      const minor = old.active.get(uuid);
      if (minor !== undefined && !world.active.has(uuid)) world.active.set(uuid, minor);
    }
  for (const [key, loop] of old.loops) if (!world.loops.has(key)) world.loops.set(key, loop);
  for (const mapping of old.mappings)
    if (!world.mappings.some(({ name }) => name === mapping.name)) world.mappings.push({ ...mapping });
  for (const [at, mount] of old.mounts.entries())
    if (!world.mounts.some(({ path }) => path === mount.path))
      world.mounts = world.mounts.toSpliced(at, 0, mount);
  world.revision += 1;
}

/**
 * The directory, there before the sequence, of a name that it has changed, if it can be a filesystem of its own here. Not
 * the directories that a host cannot run without.
 */
export function directoryOf(before: SimulatedHost, now: SimulatedHost): string | undefined {
  const [was, tree] = [before, now].map(({ world }) => world.live.get('disk:vda')?.tree);
  const there = (path: string): string =>
    resolve(before.world, path, 'follow').found ? path : there(posix.dirname(path));
  return changedPaths(was, tree)
    .filter((path) => path !== laterFile && !notTheirs.test(path))
    .map((path) => there(posix.dirname(path)))
    .find(
      (path) =>
        !/^\/(?:(?:etc|var|var\/lib)?$|run|etc\/systemd|var\/lib\/(?:apt|bofh))/.test(path) &&
        !holdsDevices(now.world, path),
    );
}

function holdsDevices({ loops, mounts }: World, path: string): boolean {
  return (
    [...loops.values()].some((loop) => loop.path.startsWith(`${path}/`)) ||
    mounts.some((mount) => mount.path.startsWith(path))
  );
}

/** Makes a directory of the root filesystem a filesystem of its own, with the same content. */
export function ownFilesystem(host: SimulatedHost, path: string): void {
  const { admin, world } = host;
  const root = world.live.get('disk:vda')?.tree;
  if (root === undefined) throw new TypeError('there is no root filesystem');
  const name = path.slice(1).replaceAll('/', '-');
  admin.lvcreate({ vg: 'vg0', name, extents: 16 });
  const uuid = '0c0ffee0-0000-4000-8000-00000000000c';
  admin.format(`/dev/vg0/${name}`, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  admin.mount(`/dev/vg0/${name}`, path);
  const own = world.live.get(host.world.mounts.at(-1)?.storage ?? '')?.tree;
  const [, top] = [...walk(root)].find(([each]) => each === path) ?? [];
  if (own === undefined || top === undefined) throw new TypeError(`there is no directory ${path}`);
  const copied = (from: number, to: number): void => {
    const inode = inodeOf(root, from);
    own.inodes.set(to, inode);
    for (const entry of inode.entries?.values() ?? []) copied(entry, entry);
  };
  copied(top, own.root);
  own.next = root.next;
  settle(world, host.world.mounts.at(-1)?.storage ?? '');
}

export function mountAgain({ admin, world }: SimulatedHost, path: string): void {
  if (world.mounts.every((mount) => mount.path !== path))
    admin.mount(`/dev/vg0/${path.slice(1).replaceAll('/', '-')}`, path);
}

export function unmountNow({ admin, world }: SimulatedHost, path: string): void {
  if (world.mounts.some((mount) => mount.path === path)) admin.umount(path);
}
