// A process of its own, for the tests that kill it: it runs one sequence over real files.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { openJournals, recover } from '../../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence, type Steps } from '../../../../src/atomic/sequence/sequence.ts';
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
    await tx.reserve({ changes: [`file:${data('reserved')}`] });
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
if (what === 'exhaust') {
  const { host } = realEngine(directory);
  const tar = { tool: 'tar', argv: [data('slow')], parse: () => null } as const;
  const run = {
    read: () => host.run({ ...tar, access: 'read' }),
    change: () => host.during({ outputs: directory, lock: -1 }).run({ ...tar, access: 'change' }),
  };
  // Once with room: what is loaded with the first program needs descriptors too.
  for (const each of Object.values(run)) await each();
  const full: number[] = [];
  const fill = (): void => {
    try {
      for (;;) full.push(openSync('/dev/null', 'r'));
    } catch {
      // EMFILE is what is wanted.
    }
  };
  for (let free = 0; free < 20; free += 1)
    for (const [how, each] of Object.entries(run)) {
      fill();
      for (const fd of full.splice(0, free)) closeSync(fd);
      const error: unknown = await each().catch((failed: unknown) => failed);
      for (const fd of full.splice(0)) closeSync(fd);
      process.stdout.write(`${how} ${error instanceof Error ? `${error.name}: ${error.message}` : 'done'}\n`);
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
