import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addDrbd(drbd: Command, verb: Verb): void {
  verb(
    drbd.command('list').description('every resource, configured or up, volume by volume'),
    'reads',
    async (runtime) => (await import('../drbd.ts')).list(runtime),
  );
  verb(
    drbd
      .command('status')
      .description('what is not as it should be, and what helps; of all resources, or of one')
      .argument('[resource]'),
    'reads',
    async (runtime, [name]) => (await import('../drbd.ts')).status(runtime, name),
  );
  verb(
    drbd
      .command('show')
      .description('one resource: hosts, addresses, devices, sizes, and what the kernel has of it')
      .argument('<resource>'),
    'reads',
    async (runtime, [name = '']) => (await import('../drbd.ts')).show(runtime, name),
  );
  verb(
    drbd.command('next').description('the port and the minor number that a new resource can have'),
    'reads',
    async (runtime) => (await import('../drbd.ts')).next(runtime),
  );
  for (const [word, description] of [
    ['up', 'bring a configured resource up: its disks attached, looking for its peers'],
    ['down', 'take a resource down that is secondary and that nobody uses'],
    ['primary', 'make this host the primary, so that the devices can be used'],
    ['secondary', 'make this host a secondary; refused while somebody uses a device, who is named'],
  ] as const)
    verb(
      drbd.command(word).description(description).argument('<resource>'),
      'changes',
      async (runtime, [name = '']) => (await import('../drbd-change.ts')).change(runtime, name, word),
    );
}
