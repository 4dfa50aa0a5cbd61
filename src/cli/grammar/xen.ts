import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addXen(xen: Command, verb: Verb): void {
  verb(
    xen.command('list').description('every configured guest and every domain, and its state'),
    'reads',
    async (runtime) => (await import('../xen.ts')).list(runtime),
  );
  verb(
    xen.command('start').description('start a configured guest').argument('<name>'),
    'changes',
    async (runtime, [name = '']) => (await import('../xen.ts')).start(runtime, name),
  );
  verb(
    xen.command('start-all').description('start every configured guest that is not running'),
    'changes',
    async (runtime) => (await import('../xen.ts')).startAll(runtime),
  );
}
