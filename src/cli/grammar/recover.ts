import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addRecover(root: Command, verb: Verb): void {
  const recover = root
    .command('recover')
    .description('bring unfinished sequences to their end: back, or forward once committed')
    .argument('[id]', 'only this one')
    .addOption(
      new Option('--abandon <ID>', 'close this journal without touching the host; with --because').conflicts(
        'cutLastLine',
      ),
    )
    .addOption(
      new Option(
        '--boot',
        'as the unit does at boot: only what an earlier boot has left; never asks, and leaves alone what is in use',
      ).conflicts(['abandon', 'cutLastLine']),
    )
    .option(
      '--network',
      'with --boot: what reaches other hosts, which --boot alone leaves to it; the unit runs after the network',
    )
    .option(
      '--discard <OBJECT,…>',
      'also undo these objects, as the refusal names them (fs:UUID, lv:vg0/web1), with what others wrote to them since',
    )
    .option(
      '--limit <TIME>',
      'with --boot: leave a journal open that is not finished in this time, and go on (default: 5m)',
    )
    .option('--total <TIME>', 'with --boot: begin no journal after this time (default: 15m)')
    .option('--because <TEXT>', 'the reason, which is written into the journal')
    .option('--cut-last-line <ID>', 'show the damaged last line of this journal and cut it off');
  verb(recover, 'changes', async (runtime, [id], options) =>
    (await import('../recover.ts')).recover(runtime, id, options),
  );
}
