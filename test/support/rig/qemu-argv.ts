import type { Image } from './image.ts';
import type { LinkEnd } from './link.ts';

/** How the processor is had: the kernel's KVM, or QEMU's own emulation. */
export type Accel = 'kvm' | 'tcg';

/** Whether the host of the rig runs on Xen, as its dom0, or on the bare machine. */
export type Hypervisor = 'xen' | 'none';

/** The emulator. */
export const qemuProgram = 'qemu-system-x86_64';

// Under TCG `max` crashes Xen's dom0 (SMAP). With svm and npt Xen offers hvm, so that PVH guests can be tried.
const cpuModel: Readonly<Record<Accel, string>> = { kvm: 'host', tcg: 'qemu64,+svm,+npt' };

/** What a machine is started with, apart from its disks and network. */
export type BootOptions = {
  readonly image: Image;
  readonly hypervisor: Hypervisor;
  readonly accel: Accel;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly emptyDrive?: boolean;
  readonly consoleFile: string;
  /** Added to the command line of the host's kernel. */
  readonly kernelWords: readonly string[];
};

/** The command line of a machine that boots the image's kernel; it has no disk and no network yet. */
export function bootArgv(options: BootOptions): readonly string[] {
  const { image, hypervisor, accel, memoryMiB, cpus, consoleFile } = options;
  const words = ['panic=-1', 'quiet', 'net.ifnames=0', ...options.kernelWords].join(' ');
  const dom0MiB = Math.min(1536, Math.floor(memoryMiB / 2));
  const boot =
    hypervisor === 'xen'
      ? [
          '-kernel',
          image.hypervisor,
          '-initrd',
          `${image.plainKernel} console=hvc0 ${words},${image.initrd}`,
          '-append',
          `console=com1 com1=115200,8n1 dom0_mem=${String(dom0MiB)}M,max:${String(dom0MiB)}M`,
        ]
      : ['-kernel', image.kernel, '-initrd', image.initrd, '-append', `console=ttyS0 ${words}`];
  return [
    qemuProgram,
    '-no-user-config',
    '-nodefaults',
    '-no-reboot',
    '-display',
    'none',
    '-accel',
    accel === 'tcg' ? 'tcg,thread=multi' : 'kvm',
    '-cpu',
    cpuModel[accel],
    '-M',
    'q35',
    '-smp',
    String(cpus),
    '-m',
    `${String(memoryMiB)}M`,
    '-serial',
    `file:${consoleFile}`,
    // On the board's own controller, so that the disks keep their places on the bus.
    ...(options.emptyDrive === true ? ['-device', 'ide-cd,bus=ide.2'] : []),
    ...boot,
  ];
}

/**
 * The disks, in order vda, vdb, …; all qcow2. `unsafe` leaves out the host's fsync only: a flush of the guest still moves
 * everything out of QEMU, so that it survives the end of QEMU (not of the machine that runs it, which no test cuts).
 */
export function diskArgv(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => [
    '-drive',
    `file=${file},format=qcow2,if=virtio,cache=unsafe,discard=unmap`,
  ]);
}

/** Disks that a server of the NBD protocol has, each behind a Unix socket. */
export function servedDiskArgv(sockets: readonly string[]): readonly string[] {
  return sockets.flatMap((path, index) => {
    const node = `disk${String(index)}`;
    const disk = `driver=nbd,node-name=${node},server.type=unix,server.path=${path},discard=unmap`;
    return ['-blockdev', disk, '-device', `virtio-blk-pci,drive=${node}`];
  });
}

/** The network: nothing but a way in to sshd, by a port of 127.0.0.1 that the kernel chooses (asked afterwards with `info usernet`). */
export const networkArgv: readonly string[] = [
  '-netdev',
  'user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22',
  '-device',
  'virtio-net-pci,netdev=net0,romfile=',
];

/** The second network card, with a cable or (for a snapshot, whose machines get one each) with none. */
export function linkArgv(end: Pick<LinkEnd, 'port' | 'peer'> | undefined): readonly string[] {
  const cable =
    end === undefined
      ? 'user,id=net1,restrict=on'
      : `socket,id=net1,udp=127.0.0.1:${String(end.peer)},localaddr=127.0.0.1:${String(end.port)}`;
  return ['-netdev', cable, '-device', 'virtio-net-pci,netdev=net1,romfile='];
}

/** QEMU's own protocol on its stdin and stdout: no socket to find, connected from the first moment. */
export const monitorArgv: readonly string[] = [
  '-chardev',
  'stdio,id=qmp,signal=off',
  '-mon',
  'chardev=qmp,mode=control',
];
