import type { OperationMethods } from '../../../src/operations.ts';
import { guest } from './stage.ts';
import type { ToolCall } from './trials.ts';

/** A system call of bofh itself, for an operation that starts no program: the one that acts, and the sync after it. */
export interface Syscall {
  readonly act: 'link' | 'unlink';
  readonly path: string;
}

/** One operation on the rig: what it works on, the call in a script, and the program that does the act. */
export interface RigSpecimen {
  /** Shell, on a host as every trial starts with. */
  readonly setUp: string;
  /** TypeScript, inside `atomic()`. */
  readonly call: string;
  readonly act: ToolCall | Syscall;
  /** Shell: from what `setUp` left back to the start. */
  readonly clear: string;
  /** It looks whether its act has been done, whatever its program says: then "acts, then fails" is no failure. */
  readonly believes?: 'the host alone';
}

/** Every operation of every driver: one that is missing here does not compile. A reason stands for one that cannot be tried. */
export type RigSpecimens = {
  readonly [D in keyof OperationMethods]: {
    readonly [K in keyof OperationMethods[D]]: RigSpecimen | { readonly notTried: string };
  };
};

const root = `/dev/vg0/${guest}-root`;
const config = `/etc/xen/${guest}.cfg`;
const uuid = '5e1f0000-0000-4000-8000-00000000000b';
const domain = '5e1f0000-0000-4000-8000-00000000000a';

const makeVolume = `lvcreate --quiet -y -W y -L 64M -n ${guest}-root vg0`;
const removeVolume = `lvremove -q -y vg0/${guest}-root`;
const makeFilled = `${makeVolume} && mkfs.ext4 -q -U ${uuid} ${root}`;
const makeGuest = `${makeFilled} && mkdir -p /run/rig-guest && mount ${root} /run/rig-guest && tar -x -f /srv/guest.tar -C /run/rig-guest && umount /run/rig-guest && printf '%s\\n' 'name = "${guest}"' 'uuid = "${domain}"' 'kernel = "/boot/guest-vmlinuz"' 'ramdisk = "/boot/guest-initrd"' 'memory = 96' 'disk = ["phy:${root},xvda,w"]' 'root = "/dev/xvda rw"' 'extra = "console=hvc0 panic=-1 quiet"' > ${config}`;
const gone = `for n in $(seq 50); do xl list ${guest} >/dev/null 2>&1 || break; sleep 0.2; done`;

/** The registry, as it is tried on the rig. */
export const rigSpecimens: RigSpecimens = {
  lvm: {
    createLv: {
      setUp: 'true',
      call: `tx.lvm.createLv({ vg: 'vg0', name: '${guest}-root', size: '64m' })`,
      act: { tool: 'lvcreate', words: [`${guest}-root`] },
      clear: 'true',
    },
    removeLv: {
      setUp: makeFilled,
      call: `tx.lvm.removeLv({ vg: 'vg0', name: '${guest}-root' })`,
      act: { tool: 'lvrename', words: [`*${guest}-root*`] },
      clear: removeVolume,
    },
    renameLv: {
      setUp: makeFilled,
      call: `tx.lvm.renameLv({ vg: 'vg0', name: '${guest}-root', to: '${guest}-new' })`,
      act: { tool: 'lvrename', words: [`${guest}-root`, `${guest}-new`] },
      clear: removeVolume,
    },
  },
  filesystem: {
    create: {
      setUp: makeVolume,
      call: `tx.filesystem.create({ device: '${root}', type: 'ext4' })`,
      act: { tool: 'mkfs.ext4', words: [root] },
      clear: removeVolume,
    },
  },
  file: {
    create: {
      setUp: 'true',
      call: `tx.file.create({ path: '${config}', content: 'name = "${guest}"\\n', mode: 0o644 })`,
      act: { act: 'link', path: config },
      clear: `rm -f ${config}`,
    },
    remove: {
      setUp: `echo 'name = "${guest}"' > ${config}`,
      call: `tx.file.remove({ path: '${config}' })`,
      act: { act: 'unlink', path: config },
      clear: `rm -f ${config}`,
    },
  },
  mount: {
    mount: {
      setUp: makeFilled,
      call: `tx.mount.mount({ device: '${root}', mode: 'rw' })`,
      act: { tool: 'mount', words: ['--target'] },
      clear: removeVolume,
    },
  },
  copy: {
    unpack: {
      setUp: `${makeFilled} && mkdir -p /mnt/${guest} && mount ${root} /mnt/${guest}`,
      call: `tx.copy.unpack({ source: '/srv/guest.tar', root: '/mnt/${guest}', device: '${root}', filesystem: '${uuid}', files: [{ path: 'etc/hostname', content: '${guest}\\n', mode: 0o644 }] })`,
      act: { tool: 'tar', words: ['--extract'] },
      clear: `umount /mnt/${guest}; rmdir /mnt/${guest}; ${removeVolume}`,
    },
  },
  xen: {
    create: {
      setUp: makeGuest,
      call: `tx.xen.create({ config: '${config}', name: '${guest}' })`,
      act: { tool: 'xl', words: ['create', config, '!-N'] },
      clear: `${removeVolume}; rm ${config}`,
    },
    shutdown: {
      setUp: `${makeGuest} && xl create ${config}`,
      call: `tx.xen.shutdown({ name: '${guest}', uuid: '${domain}', config: '${config}', how: 'destroy' })`,
      act: { tool: 'xl', words: ['destroy'] },
      clear: `xl destroy ${guest}; ${gone}; for n in $(seq 50); do ${removeVolume} && break; sleep 0.2; done; rm ${config}`,
      believes: 'the host alone',
    },
  },
};
