import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addNetwork(network: Command, verb: Verb): void {
  verb(
    network.command('list').description('list interfaces, their addresses and the ports of bridges'),
    'reads',
    async (runtime) => (await import('../network/network.ts')).list(runtime),
  );
  verb(
    network.command('show').description('show one interface with its counters').argument('<name>'),
    'reads',
    async (runtime, [name = '']) => (await import('../network/network.ts')).show(runtime, name),
  );
}
