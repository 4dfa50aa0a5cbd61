import { execFile } from 'node:child_process';
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AtomicOperationSequence } from '../../src/atomic/sequence/sequence.ts';
import type { ReadCommand } from '../../src/command/index.ts';
import { create } from '../../src/file/index.ts';
import { localHost } from '../../src/host/local.ts';
import { furnish, realEngine } from '../support/crash/real/engine.ts';
import { scalePairs } from './scale.ts';
import { storagePairs } from './storage.ts';

/** The same end by bofh and without it. */
export interface Pair {
  readonly name: string;
  readonly bare: string;
  readonly ours: () => Promise<void>;
  readonly theirs: () => Promise<void>;
  /** Runs after each, untimed. */
  readonly clear?: () => void;
  /** The bound of the ratio. */
  readonly goal?: number;
}

const start = promisify(execFile);
const steps = 10;
const long = 200;

/** Every pair, over real files in a directory of their own; `close` removes it. */
export async function pairs(
  dist: string,
): Promise<{ readonly list: readonly Pair[]; readonly close: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-bench-'));
  furnish(directory);
  const storage = process.getuid?.() === 0 ? await storagePairs(dist, directory) : undefined;
  return {
    list: [
      ...startPairs(dist, directory),
      ...(storage?.list ?? []),
      ...enginePairs(directory),
      ...scalePairs(directory),
    ],
    close: async () => {
      await storage?.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function startPairs(dist: string, directory: string): readonly Pair[] {
  const bofh = join(dist, 'bofh.cjs');
  const script = join(directory, 'script.ts');
  const plain = join(directory, 'script.mjs');
  const body =
    "import { parseSize } from 'bofh';\nconst size: number = parseSize('10g');\nif (size === 0) throw 0;\n";
  writeFileSync(script, body);
  writeFileSync(
    plain,
    body.replace(': number', '').replace("'bofh'", JSON.stringify(join(dist, 'index.js'))),
  );
  const node =
    (...argv: readonly string[]) =>
    async (): Promise<void> => {
      await start(process.execPath, argv);
    };
  return [
    {
      name: 'bofh --version',
      bare: 'node -e 0',
      goal: 1.15,
      ours: node(bofh, '--version'),
      theirs: node('-e', '0'),
    },
    {
      name: 'bofh journal list, empty',
      bare: 'node -e 0',
      goal: 1.3,
      ours: node(bofh, '--state-dir', join(directory, 'no-journals'), 'journal', 'list'),
      theirs: node('-e', '0'),
    },
    {
      name: 'bofh vm create --help',
      bare: 'node -e 0',
      ours: node(bofh, 'vm', 'create', '--help'),
      theirs: node('-e', '0'),
    },
    {
      name: 'bofh completion words vm create --',
      bare: 'node -e 0',
      ours: node(bofh, 'completion', 'words', 'vm', 'create', '--'),
      theirs: node('-e', '0'),
    },
    {
      name: 'bofh run script.ts',
      bare: 'node script.mjs',
      ours: node(bofh, 'run', script),
      theirs: node(plain),
    },
  ];
}

function enginePairs(directory: string): readonly Pair[] {
  const engine = realEngine(directory);
  const host = localHost();
  const command: ReadCommand<null> = { tool: 'sync', argv: ['--version'], access: 'read', parse: () => null };
  const data = (n: number): string => join(directory, 'data', `bench-${n}`);
  const each = Array.from({ length: steps }, (_, n) => n);
  const clear = (): void => {
    for (const n of each) rmSync(data(n), { force: true });
  };
  return [
    {
      name: 'host.run of a read',
      bare: 'execFile',
      ours: async () => {
        for (const _ of each) await host.run(command);
      },
      theirs: async () => {
        for (const _ of each) await start('/usr/bin/sync', ['--version']);
      },
    },
    {
      name: `a sequence that makes ${steps} files`,
      bare: 'each written and synced, without undo',
      ours: async () => {
        await new AtomicOperationSequence({ engine, name: 'bench' }).run(async (tx) => {
          for (const n of each) await tx.step(create, { path: data(n), content: 'content', mode: 0o644 });
        });
        clear();
      },
      theirs: async () => {
        for (const n of each) writeSynced(data(n));
        fsyncDirectory(join(directory, 'data'));
        clear();
      },
    },
    {
      name: `a sequence that makes ${long} files`,
      bare: `${long / steps} sequences of ${steps}`,
      ours: async () => {
        await new AtomicOperationSequence({ engine, name: 'bench' }).run(async (tx) => {
          for (let n = 0; n < long; n += 1)
            await tx.step(create, { path: data(n), content: 'content', mode: 0o644 });
        });
        for (let n = 0; n < long; n += 1) rmSync(data(n), { force: true });
      },
      theirs: async () => {
        for (let times = 0; times < long / steps; times += 1) {
          await new AtomicOperationSequence({ engine, name: 'bench' }).run(async (tx) => {
            for (const n of each) await tx.step(create, { path: data(n), content: 'content', mode: 0o644 });
          });
          clear();
        }
      },
    },
    {
      name: `a sequence that makes ${steps} files and is undone`,
      bare: 'the same, committed',
      ours: async () => {
        await new AtomicOperationSequence({ engine, name: 'bench' })
          .run(async (tx) => {
            for (const n of each) await tx.step(create, { path: data(n), content: 'content', mode: 0o644 });
            throw new Error('on purpose');
          })
          .catch(expectUndone);
      },
      theirs: async () => {
        await new AtomicOperationSequence({ engine, name: 'bench' }).run(async (tx) => {
          for (const n of each) await tx.step(create, { path: data(n), content: 'content', mode: 0o644 });
        });
        clear();
      },
    },
  ];
}

function writeSynced(path: string): void {
  const fd = openSync(path, 'wx', 0o644);
  writeFileSync(fd, 'content');
  fdatasyncSync(fd);
  closeSync(fd);
  if (readFileSync(path, 'utf8') !== 'content') throw new Error(`${path} was not written`);
}

function fsyncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  fdatasyncSync(fd);
  closeSync(fd);
}

function expectUndone(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'RolledBackError') throw error;
}
