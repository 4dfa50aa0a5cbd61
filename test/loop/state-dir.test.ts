import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/atomic/engine.ts';
import { lockTable } from '../../src/atomic/locks/lock.ts';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { diskStore } from '../../src/atomic/journal/store.ts';
import { explain } from '../../src/cli/errors/explain.ts';
import { stateDirectory } from '../../src/doctor/state-dir.ts';
import { create } from '../../src/file/index.ts';
import { block, connect, withBofh } from '../../src/index.ts';
import { localHost } from '../../src/host/local.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

/** Where the file of the sequence would be: on another filesystem than the journal. */
let work: string;
let made: string;
let disk: ReturnType<typeof storage>;
let state: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-state-'));
  made = join(work, 'made');
  disk = storage();
  state = disk.makeDir('state');
});
afterEach(() => {
  disk.clean();
  rmSync(work, { recursive: true, force: true });
});

/** The journal is in the state directory, the locks of objects never are. */
function engineOf(locks = join(work, '.locks')): Engine {
  const engine = testEngine(state);
  return { ...engine, locks: lockTable([locks], engine) };
}

/** What `bofh` says when a sequence is to make that file. */
async function refused(engine = engineOf()) {
  const error: unknown = await sequence(engine, async (tx) => {
    await tx.step(create, { path: made, content: 'x', mode: 0o644 });
  }).catch((thrown: unknown) => thrown);
  return explain(error, { root: true });
}

async function doctor() {
  const found = await stateDirectory(localHost(), diskStore(join(state, 'journal')), true);
  return found.filter(({ level }) => level !== 'ok');
}

const untouched = { exitCode: 4, host: 'unchanged' };

describe('a state directory', () => {
  it.each([
    ['a directory in it was made before', true],
    ['it is empty', false],
  ])('that is read-only refuses a change before its first step, also when %s', async (_when, before) => {
    sh('mount', disk.ext4('a.img').device, state);
    if (before) mkdirSync(join(state, 'journal'), { mode: 0o700 });
    sh('mount', '-o', 'remount,ro', state);

    const said = await refused();

    expect(said).toMatchObject(untouched);
    expect(said.failed).toMatch(/the state directory .* cannot be written: EROFS/);
    expect(existsSync(made)).toBe(false);
    expect(readdirSync(work)).toEqual(['.locks']);
    expect(await doctor()).toMatchObject([
      { level: 'problem', says: expect.stringContaining('read-only: every change is refused') as unknown },
    ]);
  });

  it('that became read-only after a crash still shows unfinished sequences, and changes nothing', async () => {
    sh('mount', disk.ext4('a.img').device, state);
    const journal = join(state, 'journal');
    const engine = engineOf();
    // A whole sequence, whose journal is put back as if it had been interrupted before its commit.
    await sequence(engine, async (tx) => {
      await tx.step(create, { path: made, content: 'x', mode: 0o644 });
    });
    const [closed = ''] = readdirSync(join(journal, 'history'));
    const head = sh('head', '-n', '2', join(journal, 'history', closed));
    writeFileSync(join(journal, closed), head, { mode: 0o600 });
    sh('mount', '-o', 'remount,ro', state);

    const open = await openJournals(engineOf());
    const said = await refused();
    const recovery: unknown = await recover(open[0]?.id ?? '', {
      engine: engineOf(),
      yes: true,
    }).catch((thrown: unknown) => thrown);

    expect(open.map(({ state: { steps } }) => steps.map(({ intent }) => intent.kind))).toEqual([
      ['file.create'],
    ]);
    expect(said).toMatchObject(untouched);
    expect(said.failed).toMatch(/unfinished/);
    rmSync(made);
    expect(await refused()).toMatchObject(untouched);
    expect(explain(recovery, { root: true })).toMatchObject({ exitCode: 4 });
    expect(existsSync(made)).toBe(false);
  });

  it('that is full refuses a change before its first step, and leaves no journal', async () => {
    sh('mount', '-t', 'tmpfs', '-o', 'size=256k,mode=700', 'none', state);
    const { bavail, bsize } = statfsSync(state);
    writeFileSync(join(state, 'filling'), Buffer.alloc(bavail * bsize - 8192));

    const said = await refused();

    expect(said).toMatchObject(untouched);
    expect(said.failed).toMatch(/the state directory .* cannot be written: .*ENOSPC/);
    expect(existsSync(made)).toBe(false);
    expect(readdirSync(join(state, 'journal'))).toEqual([]);
    expect((await doctor()).map(({ level, says }) => [level, says.includes('left')])).toEqual([
      ['problem', false],
      ['problem', true],
    ]);

    rmSync(join(state, 'filling'));
    await sequence(engineOf(), async (tx) => {
      await tx.step(create, { path: made, content: 'x', mode: 0o644 });
    });
    expect(existsSync(made)).toBe(true);
  });
});

it('on a disk that a program fills: the error says so, although the output of the program is lost', async () => {
  sh('mount', disk.ext4('a.img').device, state);
  const free = statfsSync(state);
  const size = Math.ceil((free.bfree * free.bsize) / 4096) * 4096 + 4096;

  const error = await withBofh(connect({ stateDir: state }), () =>
    block.createImage({ file: join(state, 'big.img'), size, room: 'allocated' }),
  ).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'rolled-back', causeCode: 'no-space' });
  expect(explain(error, { root: true }).failed).toContain('the disk with the state directory is full');
  expect(existsSync(join(state, 'big.img'))).toBe(false);
});
