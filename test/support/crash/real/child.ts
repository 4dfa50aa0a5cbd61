// A process of its own, for the tests that kill it: it runs one sequence over real files.
import { join } from 'node:path';
import { openJournals, recover } from '../../../../src/atomic/recover.ts';
import { AtomicOperationSequence, type Steps } from '../../../../src/atomic/sequence.ts';
import { create, remove } from '../../../../src/file/index.ts';
import { realEngine, slow } from './engine.ts';

const [directory = '', what = ''] = process.argv.slice(2);
const data = (name: string): string => join(directory, 'data', name);

const bodies: Readonly<Record<string, (tx: Steps) => Promise<unknown>>> = {
  files: async (tx) => {
    await tx.step(create, { path: data('new'), content: 'new', mode: 0o644 });
    await tx.step(remove, { path: data('old') });
    await tx.step(create, { path: data('old'), content: 'a newer file', mode: 0o644 });
  },
  undo: async (tx) => {
    await bodies.files?.(tx);
    throw new Error('the script failed');
  },
  hold: async (tx) => {
    await tx.step(create, { path: data('new'), content: 'new', mode: 0o644 });
    process.stdout.write('holding\n');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
  wait: (tx) => tx.step(slow, { path: data('slow'), stop: 'wait' }),
  safe: (tx) => tx.step(slow, { path: data('slow'), stop: 'safe' }),
};

if (what === 'look') {
  const engine = realEngine(directory);
  for (const { id, owner } of await openJournals(engine)) {
    const error: unknown = await recover(id, { engine, yes: true }).catch((each: unknown) => each);
    process.stdout.write(`${owner}; ${error instanceof Error ? error.message : 'recovered'}\n`);
  }
  process.exit();
}
const body = bodies[what];
if (body === undefined) throw new Error(`there is no body "${what}"`);
try {
  await new AtomicOperationSequence({ engine: realEngine(directory), name: what }).run(body);
  process.stdout.write('done\n');
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.name : String(error)}\n`);
}
