import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addXen(xen: Command, verb: Verb): void {
  verb(
    xen.command('list').description('list configured and running guests with their state'),
    'reads',
    async (runtime) => (await import('../xen/xen.ts')).list(runtime),
  );
  const alone = [
    '--alone',
    'start without the peer; only if the peer is down, does not run this guest and has no newer data',
  ] as const;
  const time = [
    '--time <DURATION>',
    'longest time to wait until a replicated disk is connected (default: 30s)',
  ] as const;
  verb(
    xen
      .command('start')
      .description('start a configured guest')
      .argument('<name>')
      .option(...alone)
      .option(...time),
    'changes',
    async (runtime, [name = ''], options) => (await import('../xen/xen.ts')).start(runtime, name, options),
  );
  verb(
    xen
      .command('start-all')
      .description('start all configured guests that are not running')
      .option(...alone)
      .option(...time),
    'changes',
    async (runtime, _, options) => (await import('../xen/xen.ts')).startAll(runtime, options),
  );
}
