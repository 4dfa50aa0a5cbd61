import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addNetwork(network: Command, verb: Verb): void {
  verb(
    network.command('list').description('every interface, its addresses, and what hangs on a bridge'),
    'reads',
    async (runtime) => (await import('../network.ts')).list(runtime),
  );
  verb(
    network.command('show').description('one interface, with its counters').argument('<name>'),
    'reads',
    async (runtime, [name = '']) => (await import('../network.ts')).show(runtime, name),
  );
}
