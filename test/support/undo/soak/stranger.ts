import { statPath } from '../../../../src/simulator/world/files.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import type { Takeover } from './program.ts';
import { files, guests, volumes } from './steps.ts';

/** A foreign object that has taken a name which was free just then. */
export interface Stranger {
  /** What a program must not be told to work on: its uuid or path. */
  readonly identity: string;
  /** What is wrong with it; empty when it is as it was made. `rebooted`: what a reboot takes may be gone. */
  readonly harm: (host: SimulatedHost, rebooted: boolean) => string;
  /** Its owner takes it away again. */
  readonly leave: (host: SimulatedHost) => void;
}

const content = 'of a stranger\n';
const uuid = '0c0ffee0-0000-4000-8000-0000000000ff';

/** Takes a name as another process, if it is free: undefined when it is not. */
export function intrude(host: SimulatedHost, { what, which }: Takeover): Stranger | undefined {
  if (what === 'volume') return volume(host, volumes[which % volumes.length] ?? volumes[0]);
  if (what === 'file') return file(host, files[which % files.length] ?? files[0]);
  return domain(host, guests[which % guests.length] ?? guests[0]);
}

function volume(host: SimulatedHost, name: string): Stranger | undefined {
  const find = (of: SimulatedHost, id: string) => of.world.lvm[0]?.lvs.find((lv) => lv.uuid === id);
  if (host.world.lvm[0]?.lvs.some((lv) => lv.name === name) !== false) return undefined;
  const made = host.admin.lvcreate({ vg: 'vg0', name, extents: 2, tags: ['stranger'] });
  host.admin.format(`/dev/vg0/${name}`, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
  return {
    identity: made.uuid,
    harm: (now) => {
      const lv = find(now, made.uuid);
      const holds = now.world.live.get(`lv:${made.uuid}`)?.superblock?.uuid;
      const isSame =
        lv?.name === name && lv.tags.join() === 'stranger' && holds === uuid && now.world.active.has(lv.uuid);
      return isSame
        ? ''
        : `the volume ${name} of a stranger was changed: ${JSON.stringify(lv)}, holds ${holds}`;
    },
    leave: (now) => now.admin.lvremove('vg0', name),
  };
}

function file(host: SimulatedHost, path: string): Stranger | undefined {
  if (statPath(host.world, path) !== undefined) return undefined;
  host.admin.writeFile(path, content);
  const inode = statPath(host.world, path)?.inode;
  return {
    identity: path,
    harm: (now) => {
      const there = statPath(now.world, path);
      const isSame = there?.inode === inode && there?.links === 1 && now.admin.readFile(path) === content;
      return isSame ? '' : `the file ${path} of a stranger was changed`;
    },
    leave: (now) => now.admin.removeFile(path),
  };
}

function domain(host: SimulatedHost, name: string): Stranger | undefined {
  if (host.world.domains.some((each) => each.name === name)) return undefined;
  const made = host.admin.startDomain({ name, uuid, memory: '32m' });
  return {
    identity: uuid,
    harm: ({ world }, rebooted) => {
      const there = world.domains.find((each) => each.uuid === uuid);
      const isSame = there?.name === name && there.state === 'blocked' && there.domid === made.domid;
      return isSame || (rebooted && there === undefined)
        ? ''
        : `the domain ${name} of a stranger was changed`;
    },
    leave: (now) => {
      if (now.world.domains.some((each) => each.uuid === uuid)) now.admin.destroyDomain(name);
    },
  };
}
