import type { Domain } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';

const flags: Readonly<Record<Domain['state'], string>> = {
  running: 'r-----',
  blocked: '-b----',
  paused: '--p---',
  shutdown: '---s--',
  crashed: '---sc-',
  dying: '--ps-d',
};

/** Returns the memory that no domain has; dom0 has 1 GiB. */
export function freeMemoryMiB(world: World): number {
  return world.memoryMiB - 1024 - world.domains.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
}

/** `xl list -v`: the printf of list_domains in xl_info.c (Xen 4.17). */
export function xlList(world: World): string {
  const head =
    'Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label\n';
  const zero: Domain = {
    domid: 0,
    name: 'Domain-0',
    uuid: '00000000-0000-0000-0000-000000000000',
    memoryMiB: 1024,
    vcpus: 2,
    state: 'running',
    disks: [],
    nics: [],
    built: 'whole',
    most: { memoryMiB: 1024, vcpus: 2 },
    weight: 256,
    pauses: 0,
  };
  return head + [zero, ...world.domains].map(line).join('');
}

function line({ domid, name, uuid, memoryMiB, vcpus, state }: Domain): string {
  const reason = state === 'crashed' ? '3' : state === 'shutdown' || state === 'dying' ? '0' : '-';
  // In whole MiB, as xl prints it.
  const numbers = [domid, Math.floor(memoryMiB), vcpus].map((number) => String(number).padStart(5)).join(' ');
  return `${(name === '' ? '(null)' : name).padEnd(40)} ${numbers}     ${flags[state]}  ${'1.0'.padStart(8)} ${uuid} ${reason.padStart(8)} ${'-'.padStart(16)}\n`;
}

/** `xl list -l`, without half-built domains. */
export function xlLongList(world: World): string {
  const zero = {
    domid: 0,
    config: { c_info: { type: 'pv', name: 'Domain-0' }, b_info: { max_memkb: 1024 ** 2 } },
  };
  const guests = world.domains
    .filter(({ built }) => built === 'whole')
    .map(({ domid, name, uuid, memoryMiB, vcpus, most, weight, disks, nics }) => ({
      domid,
      config: {
        c_info: { type: 'pv', name, uuid },
        b_info: {
          max_vcpus: most.vcpus,
          avail_vcpus: Array.from({ length: vcpus }, (_, index) => index),
          max_memkb: most.memoryMiB * 1024,
          target_memkb: memoryMiB * 1024,
          sched_params: { sched: 'credit2', weight, cap: 0 },
        },
        disks: disks.map(({ path, vdev, mode }) => ({
          pdev_path: path,
          vdev,
          format: 'raw',
          readwrite: mode === 'ro' ? 0 : 1,
        })),
        nics: nics.map((nic, devid) => ({ devid, ...nic, nictype: 'vif' })),
      },
    }));
  return `${JSON.stringify([zero, ...guests], undefined, 4)}\n`;
}

/** `xl info` of 4.17, with fixed values in the lines that differ between hosts. */
export function xlInfo(world: World): string {
  const lines: readonly (readonly [string, string])[] = [
    ['host', world.hostname],
    ['release', '6.1.0-18-amd64'],
    ['version', '#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)'],
    ['machine', 'x86_64'],
    ['nr_cpus', '2'],
    ['total_memory', String(world.memoryMiB)],
    ['free_memory', String(freeMemoryMiB(world))],
    ['xen_major', '4'],
    ['xen_minor', '17'],
    ['xen_extra', '.7'],
    ['xen_version', '4.17.7'],
    ['xen_caps', 'xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 '],
    ['xen_commandline', 'dom0_mem=1024M,max:1024M'],
    ['xend_config_format', '4'],
  ];
  return lines.map(([key, value]) => `${key.padEnd(23)}: ${value}\n`).join('');
}
