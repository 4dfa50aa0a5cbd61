import type { Tx } from '../../../src/operations.ts';
import { type Draw, drawOf } from '../../../src/simulator/faults/draw.ts';

/** A call of `tx`: `block.attachLoop` with its arguments. */
export interface Call {
  readonly name: string;
  readonly args: object;
}

/** Sequences of calls: a failed one does not end the script. */
export type Script = readonly (readonly Call[])[];

const mib = 1024 ** 2;
export const key = { from: 'file', path: '/etc/keys/k' } as const;

/** What a script so far probably has; a wrong guess makes a call that is refused, which is a test too. */
interface Guess {
  readonly files: Set<string>;
  readonly blank: Set<string>;
  readonly ext: Set<string>;
  readonly pvs: Set<string>;
  readonly groups: Set<string>;
  readonly volumes: Set<string>;
  readonly luks: Set<string>;
  readonly open: Set<string>;
  readonly mounts: Set<string>;
  loops: number;
  made: number;
}

const start = (): Guess => ({
  files: new Set(['/srv/whole.img', '/srv/loop0.img']),
  blank: new Set(['/dev/sdb', '/dev/sdc', '/dev/vg0/blank']),
  ext: new Set(['/dev/vg0/old', '/dev/loop0']),
  pvs: new Set(['/dev/sdd']),
  groups: new Set(['vg0']),
  volumes: new Set(['old', 'blank', 'asleep', 'locked']),
  luks: new Set(['/dev/vg0/locked']),
  open: new Set(['unlocked']),
  mounts: new Set(['/mnt/old']),
  loops: 1,
  made: 0,
});

/** A random script of a seed, over images, loop devices, filesystems, mounts, lvm and LUKS. */
export function randomScript(seed: number): Script {
  const draw = drawOf(seed);
  const guess = start();
  return Array.from({ length: 3 + Math.floor(draw() * 5) }, () =>
    Array.from({ length: 1 + Math.floor(draw() * 3) }, () => one(draw, calls)(draw, guess)),
  );
}

function one<T>(draw: Draw, of: readonly T[]): T {
  return of[Math.floor(draw() * of.length)] as T;
}

const everywhere = [
  ...['/dev/sdb', '/dev/sdc', '/dev/sdd', '/dev/loop0', '/dev/loop1', '/dev/loop2', '/dev/loop3'],
  ...['/dev/vg0/old', '/dev/vg0/asleep', '/dev/vg0/blank', '/dev/vg0/locked', '/dev/mapper/unlocked'],
];

/** Mostly one that fits, and sometimes any. */
function from(draw: Draw, fit: ReadonlySet<string>, any: readonly string[] = everywhere): string {
  const all = [...fit];
  return all.length > 0 && draw() < 0.85 ? one(draw, all) : one(draw, any);
}

const volumeAt = (device: string) => ({ vg: device.split('/')[2] ?? '', name: device.split('/')[3] ?? '' });

type Make = (draw: Draw, guess: Guess) => Call;

const createImage: Make = (draw, guess) => {
  const file = one(draw, ['/srv/a.img', '/srv/b.img', '/srv/c.img', '/srv/whole.img']);
  guess.files.add(file);
  const size = one(draw, [1, 16, 64, 400, 400]) * mib;
  return { name: 'block.createImage', args: { file, size, ...(draw() < 0.3 ? { room: 'allocated' } : {}) } };
};

const attachLoop: Make = (draw, guess) => {
  const file = from(draw, guess.files, ['/srv/none.img']);
  guess.blank.add(`/dev/loop${guess.loops}`);
  guess.loops += 1;
  return { name: 'block.attachLoop', args: { file, ...(draw() < 0.1 ? { mode: 'ro' } : {}) } };
};

const detachLoop: Make = (draw) => ({
  name: 'block.detachLoop',
  args: { device: one(draw, ['/dev/loop0', '/dev/loop1', '/dev/loop2']) },
});

const makeFilesystem: Make = (draw, guess) => {
  const device = from(draw, guess.blank);
  guess.blank.delete(device);
  guess.ext.add(device);
  const type = one(draw, ['ext4', 'ext4', 'ext2', 'xfs', 'btrfs', 'vfat', 'swap']);
  const overwrite =
    draw() < 0.2 ? { overwrite: { type: one(draw, ['ext4', 'LVM2_member', 'crypto_LUKS']) } } : {};
  return { name: 'filesystem.create', args: { device, type, ...overwrite } };
};

const label: Make = (draw, guess) => ({
  name: 'filesystem.label',
  args: { device: from(draw, guess.ext), label: one(draw, ['a', 'b', null]) },
});

const mount: Make = (draw, guess) => {
  const path = one(draw, ['/mnt/a', '/mnt/b']);
  guess.mounts.add(path);
  return {
    name: 'mount.mount',
    args: { device: from(draw, guess.ext), path, mode: one(draw, ['rw', 'ro']) },
  };
};

const unmount: Make = (draw, guess) => ({
  name: 'mount.unmount',
  args: { path: from(draw, guess.mounts, ['/mnt/a', '/mnt']) },
});

const writeFile: Make = (draw, guess) => {
  const path = `${from(draw, guess.mounts, ['/srv'])}/${one(draw, ['x', 'y'])}`;
  return { name: 'file.create', args: { path, content: 'text', mode: 0o644 } };
};

const createPv: Make = (draw, guess) => {
  const device = from(draw, guess.blank);
  guess.blank.delete(device);
  guess.pvs.add(device);
  return { name: 'lvm.createPv', args: { device } };
};

const createVg: Make = (draw, guess) => {
  const device = from(draw, guess.pvs);
  guess.pvs.delete(device);
  const name = one(draw, ['vg1', 'vg2']);
  guess.groups.add(name);
  return { name: 'lvm.createVg', args: { name, devices: [device] } };
};

const extendVg: Make = (draw, guess) => ({
  name: 'lvm.extendVg',
  args: { vg: from(draw, guess.groups, ['vg1']), devices: [from(draw, guess.pvs)] },
});

const createLv: Make = (draw, guess) => {
  const vg = from(draw, guess.groups, ['vg1']);
  guess.made += 1;
  const name = draw() < 0.9 ? `v${guess.made}` : 'old';
  guess.volumes.add(name);
  guess.blank.add(`/dev/${vg}/${name}`);
  return { name: 'lvm.createLv', args: { vg, name, size: one(draw, [4, 32, 320, 4096]) * mib } };
};

const volume = (draw: Draw, guess: Guess) => ({
  vg: from(draw, guess.groups, ['vg1']),
  name: from(draw, guess.volumes, ['none']),
});

const snapshot: Make = (draw, guess) => {
  const { vg, name: origin } = volume(draw, guess);
  guess.made += 1;
  const name = `s${guess.made}`;
  guess.ext.add(`/dev/${vg}/${name}`);
  return { name: 'lvm.createSnapshot', args: { vg, origin, name, size: 8 * mib } };
};

const removeLv: Make = (draw, guess) => ({ name: 'lvm.removeLv', args: volume(draw, guess) });

const renameLv: Make = (draw, guess) => {
  guess.volumes.add('renamed');
  return { name: 'lvm.renameLv', args: { ...volume(draw, guess), to: 'renamed' } };
};

const resizeLv: Make = (draw, guess) => ({
  name: 'lvm.resizeLv',
  args: {
    ...(draw() < 0.5 ? volume(draw, guess) : volumeAt(from(draw, guess.ext))),
    size: one(draw, [8, 64, 512, 9000]) * mib,
    ...(draw() < 0.2 ? { shrink: 'lose the data beyond the new size' } : {}),
  },
});

const activate: Make = (draw, guess) => ({
  name: one(draw, ['lvm.activateLv', 'lvm.deactivateLv']),
  args: draw() < 0.5 ? { vg: 'vg0', name: 'asleep' } : volume(draw, guess),
});

const formatLuks: Make = (draw, guess) => {
  const device = from(draw, guess.blank);
  guess.blank.delete(device);
  guess.luks.add(device);
  return { name: 'crypt.format', args: { device, key, pbkdf: 'pbkdf2' } };
};

const openLuks: Make = (draw, guess) => {
  const name = one(draw, ['c1', 'c2']);
  guess.open.add(name);
  guess.blank.add(`/dev/mapper/${name}`);
  return { name: 'crypt.open', args: { device: from(draw, guess.luks), key, name } };
};

const closeLuks: Make = (draw, guess) => ({
  name: 'crypt.close',
  args: { name: from(draw, guess.open, ['c1']), key },
});

const resize: Make = (draw, guess) => ({
  name: 'filesystem.resize',
  args: { device: from(draw, guess.ext), size: one(draw, ['max', 16 * mib]) },
});

const wipe: Make = (draw, guess) => {
  const device = from(draw, guess.ext);
  guess.blank.add(device);
  return { name: 'block.wipe', args: { device, overwrite: [one(draw, ['ext4', 'ext2', 'swap'])] } };
};

const calls: readonly Make[] = [
  ...[createImage, createImage, attachLoop, attachLoop, detachLoop],
  ...[makeFilesystem, makeFilesystem, makeFilesystem, label, resize, wipe],
  ...[mount, mount, unmount, writeFile],
  ...[createPv, createVg, extendVg, createLv, createLv, snapshot, removeLv, renameLv, resizeLv, activate],
  ...[formatLuks, openLuks, openLuks, closeLuks],
];

/** Makes a call. */
export function make(tx: Tx, { name, args }: Call): Promise<unknown> {
  const [driver = '', method = ''] = name.split('.');
  const methods = Reflect.get(tx, driver) as Readonly<Record<string, (args: object) => Promise<unknown>>>;
  const call = methods[method];
  if (call === undefined) throw new TypeError(`tx has no ${name}`);
  return call(args);
}
