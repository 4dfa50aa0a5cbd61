import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { Engine } from '../../../../src/atomic/engine.ts';
import { lockTable } from '../../../../src/atomic/locks/lock.ts';
import { operation, type AnyOperation } from '../../../../src/atomic/operation.ts';
import { hostProcesses } from '../../../../src/atomic/locks/processes.ts';
import { diskStore } from '../../../../src/atomic/journal/store.ts';
import { create, remove } from '../../../../src/file/index.ts';
import { localHost } from '../../../../src/host/local.ts';

const paths = z.object({ path: z.string(), stop: z.enum(['safe', 'wait']) });

/** A tool that takes its time: it leaves PATH.begun at once and PATH at its end. */
export const slow = operation({
  kind: 'toy.slow',
  version: 1,
  args: paths,
  undo: paths,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args }) => args,
  claims: ({ undo }) => ({ makes: [`file:${undo.path}`] }),
  run: async ({ undo: { path, stop }, host }) => {
    const safe = stop === 'safe' ? { stop } : {};
    await host.run({ tool: 'tar', argv: [path], access: 'change', parse: () => null, ...safe });
    return null;
  },
  value: () => undefined,
  look: async ({ undo: { path }, host }) => {
    const traces = await Promise.all(tracesOf(path).map((each) => host.stat(each)));
    return { state: traces.some((each) => each !== undefined) ? 'ours' : 'gone' };
  },
  revert: async ({ undo: { path }, host }) => {
    for (const each of tracesOf(path)) if ((await host.stat(each)) !== undefined) await host.removeFile(each);
  },
});

const tracesOf = (path: string): readonly string[] => [path, `${path}.begun`];

const operations = [create, remove, slow] as readonly unknown[] as readonly AnyOperation[];

/** The engine over real files, all of them in one directory. */
export function realEngine(directory: string): Engine {
  const host = localHost({ tools: { tar: join(directory, 'tool') } });
  return {
    host,
    flock: host.flock,
    store: diskStore(join(directory, 'journal')),
    locks: lockTable([join(directory, 'locks')], host),
    processes: hostProcesses(),
    who: { user: 'root', argv: ['toy'], bofh: '0' },
    currentNames: (_host, undo) => Promise.resolve(undo),
    find: async (kind, version) => operations.find((one) => one.kind === kind && one.version === version),
    on: async (path) => ({ key: path, beneath: [] }),
  };
}

/** A directory to work in: `data` is what the sequences change. */
export function furnish(directory: string, toolSeconds = 0): void {
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data/old'), 'an old file');
  writeFileSync(join(directory, 'data/new.of-others'), 'of others');
  const tool = join(directory, 'tool');
  writeFileSync(
    tool,
    `#!/bin/sh\necho $$ > "\${1%/data/*}/slow.pid"; : > "$1.begun"; sleep ${toolSeconds}; : > "$1"\n`,
  );
  chmodSync(tool, 0o755);
}
