import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addXen(xen: Command, verb: Verb): void {
  verb(
    xen.command('list').description('every configured guest and every domain, and its state'),
    'reads',
    async (runtime) => (await import('../xen.ts')).list(runtime),
  );
  const alone = [
    '--alone',
    'without the other host of its replicated disks, which is dead: it runs nowhere, and has no newer data',
  ] as const;
  const time = [
    '--time <DURATION>',
    'how long to wait until a replicated disk is connected; 30s unless it is said',
  ] as const;
  verb(
    xen
      .command('start')
      .description('start a configured guest')
      .argument('<name>')
      .option(...alone)
      .option(...time),
    'changes',
    async (runtime, [name = ''], options) => (await import('../xen.ts')).start(runtime, name, options),
  );
  verb(
    xen
      .command('start-all')
      .description('start every configured guest that is not running')
      .option(...alone)
      .option(...time),
    'changes',
    async (runtime, _, options) => (await import('../xen.ts')).startAll(runtime, options),
  );
}
