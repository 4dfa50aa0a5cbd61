import type { Machine } from './machine.ts';
import { until } from './process.ts';

/** Makes a PV guest by hand, with the plain tools: LV, ext4, the image's small system, config file. It is not started. */
export async function makeGuest(
  machine: Machine,
  options: { readonly name: string; readonly vg?: string; readonly sizeMiB?: number },
): Promise<string> {
  const { name } = options;
  const vg = options.vg ?? 'vg0';
  const lv = `/dev/${vg}/${name}`;
  await machine.run(`set -e
    lvcreate --quiet -y -W y -L ${String(options.sizeMiB ?? 128)}M -n ${name} ${vg}
    mkfs.ext4 -q ${lv}
    mkdir -p /run/rig-guest
    mount ${lv} /run/rig-guest
    tar -x -f /srv/guest.tar -C /run/rig-guest
    echo ${name} > /run/rig-guest/etc/hostname
    umount /run/rig-guest`);
  const config = `/etc/xen/${name}.cfg`;
  await machine.putText(config, guestConfig({ name, lv }));
  return config;
}

/** An xl config with which the image's guest boots from an LV. */
export function guestConfig(options: {
  readonly name: string;
  readonly lv: string;
  readonly memoryMiB?: number;
}): string {
  return `name = "${options.name}"
kernel = "/boot/guest-vmlinuz"
ramdisk = "/boot/guest-initrd"
memory = ${String(options.memoryMiB ?? 96)}
vcpus = 1
disk = ["phy:${options.lv},xvda,w"]
root = "/dev/xvda rw"
extra = "console=hvc0 panic=-1 quiet"
on_crash = "destroy"
`;
}

/** Waits until a guest's console log says that it is up. */
export async function guestUp(
  machine: Machine,
  options: { readonly name: string; readonly timeoutMs?: number },
): Promise<void> {
  const log = `/var/log/xen/console/guest-${options.name}.log`;
  await until({
    what: `guest ${options.name} is up`,
    timeoutMs: options.timeoutMs ?? 180_000,
    everyMs: 200,
    probe: async () => {
      // Empties the log, to which xenconsoled appends: the line of this boot must not count for the next one.
      const { exitCode } = await machine.run(`grep -qs 'guest ${options.name} up' ${log} && : >${log}`, {
        check: 'return',
      });
      return exitCode === 0 ? true : undefined;
    },
  });
}

/** Waits until Xen has no domain of this name any more. */
export async function guestGone(
  machine: Machine,
  options: { readonly name: string; readonly timeoutMs?: number },
): Promise<void> {
  await until({
    what: `guest ${options.name} is gone`,
    timeoutMs: options.timeoutMs ?? 60_000,
    everyMs: 200,
    probe: async () => {
      const { stdout } = await machine.run('xl list');
      return stdout.split('\n').some((line) => line.split(' ')[0] === options.name) ? undefined : true;
    },
  });
}
