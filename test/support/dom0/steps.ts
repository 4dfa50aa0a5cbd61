import { type Machine, until } from '../rig/index.ts';

/** Where the script of `putSteps` stops, in this order: each is between two steps. */
export const gates = ['made', 'formatted', 'mounted', 'configured', 'started'] as const;
export type Gate = (typeof gates)[number];

/**
 * A guest in single steps, `bofh run /root/steps.ts NAME`. Behind each step stands a gate: the script says where it is,
 * and waits until it is let through. So a test holds bofh between any two steps, and bofh has no hook for it. Past the
 * last gate it gives up, and all is undone.
 */
const script = `import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { atomic } from 'bofh';
const name = process.argv[2];
const gate = async (at) => {
  writeFileSync('/run/gate-' + name, at);
  while (!existsSync('/run/gate-' + name + '-' + at)) await delay(50);
};
await atomic(name + ' in steps', async (tx) => {
  const lv = await tx.lvm.createLv({ vg: 'vg0', name, size: '32m' });
  await gate('made');
  const { uuid } = await tx.filesystem.create({ device: lv.path, type: 'ext4' });
  await gate('formatted');
  const mounted = await tx.temporary.mount.mount({ device: lv.path, type: 'ext4', mode: 'rw' });
  await gate('mounted');
  const source = '/srv/guest.tar';
  const files = [{ path: 'etc/hostname', content: name + '\\n', mode: 0o644 }];
  await tx.copy.unpack({ source, root: mounted.path, device: lv.path, filesystem: uuid, files });
  await mounted.release();
  const lines = [
    'name = "' + name + '"', 'memory = 96', 'vcpus = 1', 'kernel = "/boot/guest-vmlinuz"', 'ramdisk = "/boot/guest-initrd"',
    'disk = ["phy:' + lv.path + ',xvda,w"]', 'root = "/dev/xvda rw"', 'extra = "console=hvc0 panic=-1 quiet"', 'on_crash = "destroy"', '',
  ];
  await tx.file.create({ path: '/etc/xen/' + name + '.cfg', content: lines.join('\\n'), mode: 0o644 });
  await gate('configured');
  await tx.xen.create({ config: '/etc/xen/' + name + '.cfg', name });
  await gate('started');
  throw new Error('the script gives up');
});
`;

/** Puts the script where `stepsCommand` finds it. */
export async function putSteps(machine: Machine): Promise<void> {
  await machine.putText('/root/steps.ts', script);
}

/** The command that makes a guest in steps. */
export function stepsCommand(name: string): string {
  return `bofh run /root/steps.ts ${name}`;
}

/** Lets a script through its gates, now or when it comes to them. */
export async function openGates(machine: Machine, name: string, which: readonly Gate[]): Promise<void> {
  await machine.run(['touch', ...which.map((gate) => `/run/gate-${name}-${gate}`)]);
}

/** Waits until a script stands at a gate. */
export async function atGate(machine: Machine, name: string, gate: Gate): Promise<'there'> {
  return await until({
    what: `${name} is at the gate "${gate}"`,
    timeoutMs: 240_000,
    everyMs: 300,
    probe: async () => {
      const { stdout } = await machine.run(`cat /run/gate-${name} 2>/dev/null`, { check: 'return' });
      return stdout.trim() === gate ? 'there' : undefined;
    },
  });
}
