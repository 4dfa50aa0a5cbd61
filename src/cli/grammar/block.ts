import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addBlock(block: Command, verb: Verb): void {
  const tree = block
    .command('tree')
    .description('what lies on what, from the disks to the guests, with sizes; it changes nothing')
    .argument('[device]', 'only what this one lies on and what lies on it');
  verb(tree, 'reads', async (runtime, [device]) => (await import('../block-tree.ts')).tree(runtime, device));
}
