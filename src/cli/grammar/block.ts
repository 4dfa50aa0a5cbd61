import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addBlock(block: Command, verb: Verb): void {
  const tree = block
    .command('tree')
    .description('what lies on what, from the disks to the guests, with sizes; it changes nothing')
    .argument('[device]', 'only what this one lies on and what lies on it');
  verb(tree, 'reads', async (runtime, [device]) => (await import('../block-tree.ts')).tree(runtime, device));
  const resize = block
    .command('resize')
    .description(
      'resize a device with all that lies on it, to a size (20g), by one (+5g, -1g), to min or to max',
    )
    .argument('<device>')
    .argument('<size>')
    .option('--bare', 'the device alone: nobody looks at what lies on it')
    .option(
      '--key <KEY>',
      'of an encrypted device in it: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask',
    )
    // -1g looks like an option; what is none and no size is refused as a size.
    .allowUnknownOption();
  verb(resize, 'changes', async (runtime, args, options) =>
    (await import('../block-resize.ts')).resize(runtime, args, options),
  );
}
