import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addRecover(root: Command, verb: Verb): void {
  const recover = root
    .command('recover')
    .description('finish interrupted sequences: roll back, or complete what was committed')
    .argument('[id]', 'only this journal')
    .addOption(
      new Option(
        '--abandon <ID>',
        'close this journal and leave the host as it is; needs --because',
      ).conflicts('cutLastLine'),
    )
    .addOption(
      new Option(
        '--boot',
        'as at boot: only sequences from before this boot; never asks, leaves what is in use',
      ).conflicts(['abandon', 'cutLastLine']),
    )
    .option('--network', 'with --boot: also sequences that need other hosts; run it after the network is up')
    .option(
      '--discard <OBJECT,…>',
      'also undo these objects, as the refusal names them (fs:UUID, lv:vg0/web1), and lose what others wrote to them',
    )
    .option(
      '--limit <TIME>',
      'with --boot: longest time for one journal; it stays open if that is not enough (default: 5m)',
    )
    .option('--total <TIME>', 'with --boot: start no further journal after this time (default: 15m)')
    .option('--because <TEXT>', 'reason, which is written to the journal')
    .option('--cut-last-line <ID>', 'show the damaged end of this journal and cut it off');
  verb(recover, 'changes', async (runtime, [id], options) =>
    (await import('../recover/recover.ts')).recover(runtime, id, options),
  );
}
