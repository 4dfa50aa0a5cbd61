import { sha256 } from '../../../../src/file/index.ts';
import type { Tx } from '../../../../src/operations.ts';
import { parseSite } from '../../../../src/site.ts';
import { statPath } from '../../../../src/simulator/world/files.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { createVm, planCreate } from '../../../../src/vm/create.ts';
import { removeVm, planRemove } from '../../../../src/vm/remove.ts';
import { filledVolume, neighbourhood } from '../stage.ts';
import type { Taken } from '../../crash/program.ts';
import type { Leaf } from './program.ts';

const mib = 1024 ** 2;
const site = parseSite({ volumeGroup: 'vg0' }, 'the soak');

/** The names that trials work with, and that others take: `web3` is there from before. */
export const volumes = ['web1-root', 'web1-swap', 'web2-root', 'web3-root'] as const;
export const files = ['/etc/xen/web1.cfg', '/etc/xen/web2.cfg', '/etc/xen/web3.cfg', '/root/note'] as const;
export const guests = ['web1', 'web2', 'web3'] as const;

const rootUuid = '5e1f0000-0000-4000-8000-000000000001';

/** Where each trial starts: foreign things all about, and a guest of ours that runs. */
export function startHost(): SimulatedHost {
  const host = neighbourhood();
  const root = filledVolume(host, 'web3-root', rootUuid);
  const lv = host.world.lvm[0]?.lvs.find(({ name }) => name === 'web3-root');
  const number = `${host.world.dmMajor}:${host.world.active.get(lv?.uuid ?? '') ?? 0}`;
  host.admin.mkdir('/mnt/web1');
  host.admin.mkdir('/mnt/web2');
  host.admin.writeFile('/root/note', 'of ours, from before\n');
  const uuid = '5e1f0000-0000-4000-8000-000000000002';
  host.admin.writeFile(
    '/etc/xen/web3.cfg',
    `name = "web3"\nuuid = "${uuid}"\nmemory = 64\nkernel = "/vmlinuz"\ndisk = ["phy:${root},xvda,w"]\n`,
  );
  host.admin.startDomain({
    name: 'web3',
    uuid,
    memory: '64m',
    disks: [{ vdev: 'xvda', path: root, number }],
  });
  return host;
}

/** A sequence at work. */
export interface At {
  readonly tx: Tx;
  readonly host: SimulatedHost;
  readonly taken: Taken<Leaf>[];
  readonly scopes: readonly object[];
  /** Uuids and paths of objects that are foreign now: a program does not use them. */
  readonly foreign: ReadonlySet<string>;
}

/** Undefined where the host does not allow it now. */
export function workOf(at: At, { do: what, a, b }: Leaf): (() => Promise<unknown>) | undefined {
  const { tx, host } = at;
  const name = volumes[a] ?? volumes[0];
  const other = volumes[b] ?? volumes[0];
  const device = `/dev/vg0/${name}`;
  const lv = lvOf(host, name);
  const isOurs = lv !== undefined && !at.foreign.has(lv.uuid);
  const holds = lv === undefined ? undefined : host.world.live.get(`lv:${lv.uuid}`)?.superblock;
  const isFree = isOurs && host.world.active.has(lv.uuid) && usersOf(host, lv.uuid) === 0;
  const path = files[b] ?? files[0];
  const guest = guests[a % 2] ?? 'web1';
  const running = host.world.domains.find((each) => each.name === 'web3');
  switch (what) {
    case 'lv':
      return lv === undefined ? () => tx.lvm.createLv({ vg: 'vg0', name, size: '32m' }) : undefined;
    case 'remove lv':
      return isFree ? () => tx.lvm.removeLv({ vg: 'vg0', name, uuid: lv.uuid }) : undefined;
    case 'rename lv':
      return isFree && lvOf(host, other) === undefined
        ? () => tx.lvm.renameLv({ vg: 'vg0', name, to: other, uuid: lv.uuid })
        : undefined;
    case 'format':
      // What is overwritten is not brought back, and says so: the matrix has that, where before is a blank device.
      return isFree && holds === undefined
        ? () => tx.filesystem.create({ device, type: b % 2 === 0 ? 'ext4' : 'swap' })
        : undefined;
    case 'fill':
      return isFree && holds?.type === 'ext4' && isEmpty(host, lv.uuid)
        ? () => fill(tx, device, holds.uuid ?? '')
        : undefined;
    case 'mount':
      return isFree && holds?.type === 'ext4' && !isMounted(host, '/mnt/web1')
        ? () => tx.mount.mount({ device, path: '/mnt/web1', mode: 'ro' })
        : undefined;
    case 'mount for a while':
      return isFree && holds?.type === 'ext4'
        ? () => tx.temporary.mount.mount({ device, mode: 'ro' })
        : undefined;
    case 'file':
      return isThere(host, path)
        ? undefined
        : () => tx.file.create({ path, content: `name = "web${b + 1}"\nmemory = 64\n`, mode: 0o644 });
    case 'remove file':
      return isThere(host, path) && !at.foreign.has(path)
        ? () => tx.file.remove({ path, sha256: sha256(host.admin.readFile(path)) })
        : undefined;
    case 'start':
      return running === undefined && isWeb3(at)
        ? () => tx.xen.create({ config: '/etc/xen/web3.cfg', name: 'web3' })
        : undefined;
    case 'stop':
      return running?.state === 'blocked' && !at.foreign.has(running.uuid) && isWeb3(at)
        ? () =>
            tx.xen.shutdown({
              name: 'web3',
              uuid: running.uuid,
              config: '/etc/xen/web3.cfg',
              how: b % 2 === 0 ? 'shutdown' : 'destroy',
              timeoutMs: 2_000,
            })
        : undefined;
    case 'vm create':
      return isNew(host, guest) ? () => makeGuest(at, guest) : undefined;
    case 'vm remove':
      return isWeb3(at) && lvOf(host, 'web3-root') !== undefined && isOwnGuest(at)
        ? () => endGuest(at)
        : undefined;
  }
}

async function fill(tx: Tx, device: string, filesystem: string): Promise<void> {
  const mounted = await tx.temporary.mount.mount({ device, mode: 'rw' });
  await tx.copy.unpack({ source: '/srv/debian.tar', root: mounted.path, device, filesystem, files: [] });
  await mounted.release();
}

async function makeGuest({ tx, host }: At, name: string): Promise<void> {
  const request = {
    name,
    source: { type: 'tar', path: '/srv/debian.tar' },
    size: 32 * mib,
    swap: name === 'web1' ? 16 * mib : 0,
    memory: 64 * mib,
    vcpus: 1,
    type: 'pv',
    mac: name === 'web1' ? '00:16:3e:00:00:09' : '00:16:3e:00:00:0a',
    bridge: 'xenbr0',
    start: true,
  } as const;
  await createVm(tx, await planCreate({ host, site, request }));
}

async function endGuest({ tx, host }: At): Promise<void> {
  const plan = await planRemove({ host, site, name: 'web3', running: 'destroy', timeoutMs: 2_000 });
  await removeVm(tx, plan);
}

function lvOf(host: SimulatedHost, name: string) {
  return host.world.lvm[0]?.lvs.find((each) => each.name === name);
}

/** Mounts, swaps and guests on a volume. */
function usersOf(host: SimulatedHost, uuid: string): number {
  const { world } = host;
  const number = `${world.dmMajor}:${world.active.get(uuid) ?? -1}`;
  return (
    world.mounts.filter(({ device }) => device === number).length +
    world.domains.filter(({ disks }) => disks.some((disk) => disk.number === number)).length
  );
}

function isEmpty(host: SimulatedHost, uuid: string): boolean {
  const tree = host.world.live.get(`lv:${uuid}`)?.tree;
  const names = tree?.inodes.get(tree.root)?.entries?.keys() ?? [];
  return [...names].every((name) => name === 'lost+found');
}

function isMounted(host: SimulatedHost, path: string): boolean {
  return host.world.mounts.some((each) => each.path === path);
}

function isThere(host: SimulatedHost, path: string): boolean {
  return statPath(host.world, path) !== undefined;
}

/** The config of the guest that is ours from before, as it was. */
function isWeb3({ host, foreign }: At): boolean {
  const path = '/etc/xen/web3.cfg';
  return isThere(host, path) && !foreign.has(path) && host.admin.readFile(path).includes('5e1f0000');
}

function isOwnGuest({ host, foreign }: At): boolean {
  const lv = lvOf(host, 'web3-root');
  const domain = host.world.domains.find(({ name }) => name === 'web3');
  const isOurs = domain === undefined || !foreign.has(domain.uuid);
  return isOurs && lv !== undefined && !foreign.has(lv.uuid);
}

function isNew(host: SimulatedHost, name: string): boolean {
  const isTaken =
    [`${name}-root`, `${name}-swap`].some((each) => lvOf(host, each) !== undefined) ||
    isThere(host, `/etc/xen/${name}.cfg`) ||
    host.world.domains.some((each) => each.name === name);
  return !isTaken;
}
