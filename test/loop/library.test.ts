import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtCommand, type Ended, run } from '../unit/cli/support/built.ts';

let work = '';
let images = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-library-'));
  images = join(work, 'images');
  mkdirSync(images);
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

/** A program of plain Node.js that imports the published library and works on this host. */
async function plainNode(text: string, name = 'script.mjs'): Promise<Ended> {
  const script = join(work, name);
  const index = JSON.stringify(join(dirname(await builtCommand()), 'index.js'));
  writeFileSync(
    script,
    `import { atomic, recover, block, filesystem, mount } from ${index};
     const images = ${JSON.stringify(images)};
     const image = (tx, name) => tx.filesystem.createImage({ file: images + '/' + name, size: '8m', type: 'ext4' });
     ${text}`,
  );
  return run(process.execPath, [script], { env: { BOFH_STATE_DIR: join(work, 'state') } });
}

/** Without the second names that an open sequence has for its files. */
const created = (): readonly string[] => found().filter((name) => !name.startsWith('.bofh-'));
const found = (): readonly string[] => readdirSync(images).sort();
const journals = (): readonly string[] =>
  readdirSync(join(work, 'state/journal')).filter((name) => name.endsWith('.journal'));

describe('a program that is killed in the middle of a sequence', () => {
  const body = (end: string): string =>
    `await atomic('x', async (tx) => { await image(tx, 'a.img'); await image(tx, 'b.img'); ${end} });`;
  const never = 'await new Promise(() => setInterval(() => undefined, 1000));';

  it.each([
    ['by process.exit()', 'process.exit(0);'],
    ['by process.abort()', 'process.abort();'],
    ['by SIGKILL', `process.kill(process.pid, 'SIGKILL'); ${never}`],
    ['because nothing is left to wait for', 'await new Promise(() => undefined);'],
    ['by an uncaught exception', `setTimeout(() => { throw new Error('uncaught'); }, 10); ${never}`],
    ['by an unhandled rejection', `void Promise.reject(new Error('unhandled')); ${never}`],
  ])('%s leaves a journal, and recover() undoes it', async (_title, end) => {
    const ended = await plainNode(body(end));

    expect(ended.exitCode === 0 && !end.includes('exit(0)')).toBe(false);
    expect([created(), journals().length]).toEqual([['a.img', 'b.img'], 1]);
    expect(await plainNode('await recover();')).toMatchObject({ exitCode: 0 });
    expect([found(), journals()]).toEqual([[], []]);
  });

  it('in a worker thread that is terminated: recover() of another process undoes it', async () => {
    const index = JSON.stringify(join(dirname(await builtCommand()), 'index.js'));
    const ended = await plainNode(`
      const { Worker } = await import('node:worker_threads');
      const worker = new Worker(\`
        import(${index}).then(({ atomic }) => atomic('x', async (tx) => {
          await tx.filesystem.createImage({ file: '\${images}/a.img', size: '8m', type: 'ext4' });
          require('node:worker_threads').parentPort.postMessage('made');
          await new Promise(() => setInterval(() => undefined, 1000));
        }));\`, { eval: true });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();`);

    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(created()).toEqual(['a.img']);
    expect(await plainNode('await recover();')).toMatchObject({ exitCode: 0 });
    expect([found(), journals()]).toEqual([[], []]);
  });
});

describe('concurrent sequences', () => {
  it('50 in one process each complete or are rolled back', { timeout: 240_000 }, async () => {
    const ended = await plainNode(`
      const names = Array.from({ length: 50 }, (_, n) => n);
      const all = await Promise.allSettled(names.map((n) => atomic('image ' + n, async (tx) => {
        await image(tx, n + '.img');
        if (n % 5 === 0) throw new Error('on purpose');
      })));
      console.log(all.filter(({ status }) => status === 'fulfilled').length);
      console.log([...new Set(all.flatMap(({ reason }) => reason === undefined ? [] : [reason.code]))].join());`);

    expect(ended).toMatchObject({ exitCode: 0, stdout: '40\nrolled-back\n', stderr: '' });
    expect(found()).toHaveLength(40);
    expect(journals()).toEqual([]);
  });

  it('8 processes work on their own images and on a shared one', { timeout: 240_000 }, async () => {
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        plainNode(
          `await atomic('own', (tx) => image(tx, 'own-${String(n)}.img'));
           const shared = await atomic('shared', (tx) => image(tx, 'shared.img'), { wait: 60_000 })
             .then(() => 'created', ({ code, causeCode }) => causeCode ?? code);
           console.log(shared);`,
          `script-${String(n)}.mjs`,
        ),
      ),
    );

    expect(all.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(all.map(() => [0, '']));
    expect(all.map(({ stdout }) => stdout.trim()).sort()).toEqual([
      'created',
      ...Array<string>(7).fill('exists'),
    ]);
    expect(found()).toEqual([...Array.from({ length: 8 }, (_, n) => `own-${String(n)}.img`), 'shared.img']);
    expect(journals()).toEqual([]);
  });
});
