import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { adopt, append, openNew, close } from '../../../src/atomic/journal/journal-writer.ts';
import { ownerLine, type Engine } from '../../../src/atomic/engine.ts';
import type { Line } from '../../../src/atomic/journal/lines.ts';
import {
  abandon,
  cutLastLine,
  openJournals,
  plan,
  recover,
  removeJournalLeftovers,
} from '../../../src/atomic/recovery/recover.ts';
import { journals as openJournalsOf, refuseRestored } from '../../../src/atomic/journal/scan.ts';
import { fold } from '../../../src/atomic/journal/state.ts';
import type { Reservations } from '../../../src/command/index.ts';
import { ConnectionError, JournalError, StuckError } from '../../../src/core/errors.ts';
import type { Owner } from '../../../src/atomic/journal/lines.ts';
import { intent } from '../../support/crash/lines.ts';
import { realEngine } from '../../support/crash/real/engine.ts';

function place(below = ''): { readonly engine: Engine; readonly journals: string } {
  const top = mkdtempSync(join(tmpdir(), 'bofh-recover-'));
  onTestFinished(() => rmSync(top, { recursive: true, force: true }));
  const directory = join(top, below);
  return { engine: realEngine(directory), journals: join(directory, 'journal') };
}

/** A journal as a process left it that is gone. */
function left(engine: Engine, id: string, lines: readonly Line[]): void {
  const file = engine.store.create(`${id}.new`);
  const owner = { ...ownerLine(engine), pid: 1, started: 1 };
  openNew(engine, file, { t: 'begin', format: 1, id, name: id, argv: [], host: '', ...owner }, lines);
  file.close();
}

const scope: Line = { t: 'scope', s: 1, name: 'a scope' };

test('closes the journal of a dead process with nothing to undo, and moves it to the history', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);

  const recovered = await recover('one', { engine, yes: false });

  expect(recovered).toMatchObject({ id: 'one', end: 'rolled-back', leftUntouched: [] });
  expect(readdirSync(journals)).toEqual(['history']);
  expect(readFileSync(join(journals, 'history/one.journal'), 'utf8')).toContain('"outcome":"rolled-back"');
});

test('moves a closed journal that was not moved yet', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [{ t: 'committed' }, { t: 'closed', outcome: 'committed' }]);

  const recovered = await recover('one', { engine, yes: false });

  expect(recovered.end).toBe('nothing-to-do');
  expect(readdirSync(journals)).toEqual(['history']);
});

test('refuses an open journal that the history has as committed: it is from a backup', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);
  const backup = readFileSync(join(journals, 'one.journal'));
  rmSync(join(journals, 'one.journal'));
  left(engine, 'one', [{ t: 'committed' }, { t: 'closed', outcome: 'committed' }]);
  await recover('one', { engine, yes: false });
  writeFileSync(join(journals, 'one.journal'), backup);

  const why = /one is open, but the history has it as committed.*nothing was touched/;
  await expect(recover('one', { engine, yes: true })).rejects.toThrow(why);
  await expect(abandon(engine, 'one', 'x')).rejects.toThrow(why);

  expect(readFileSync(join(journals, 'one.journal'))).toEqual(backup);
  expect(readFileSync(join(journals, 'history/one.journal'), 'utf8')).toContain('"committed"');
});

test('does not call a journal old that another process closes after it was read', async () => {
  const { engine } = place();
  left(engine, 'one', [scope]);
  const [read] = openJournalsOf(engine);
  await recover('one', { engine, yes: false });

  expect(read?.state.closed).toBeUndefined();
  expect(() => read && refuseRestored(engine, 'one', read.state)).not.toThrow();
});

test('a journal that ends while its owner is looked for is not listed as interrupted', async () => {
  const { engine } = place();
  left(engine, 'one', [scope]);
  const ending = (): boolean => {
    engine.store.makeDir('history');
    engine.store.rename('one.journal', 'history/one.journal');
    return false;
  };
  const processes = { ...engine.processes, alive: ending };

  expect(await openJournals({ ...engine, processes })).toEqual([]);
});

test('a journal that is closed while its owner is looked for is listed as closed', async () => {
  const { engine } = place();
  left(engine, 'one', [scope]);
  const ending = (): boolean => {
    const file = engine.store.open('one.journal');
    if (file !== undefined)
      append(adopt(engine.store, file, 'one', 'token'), [{ t: 'closed', outcome: 'rolled-back' }]);
    return false;
  };
  let calls = 0;
  const processes = { ...engine.processes, alive: () => calls++ === 0 && ending() };

  const [one] = await openJournals({ ...engine, processes });

  expect(one?.state.closed).toBe('rolled-back');
});

test('refuses a filesystem whose inode numbers change', async () => {
  const { engine } = place();
  left(engine, 'one', [scope]);
  let count = 0;
  const flock = (): Promise<undefined> => Promise.resolve(undefined);
  const store = { ...engine.store, inode: () => `1:${String((count += 1))}` };

  const recovering = recover('one', { engine: { ...engine, flock, store }, yes: true });

  await expect(recovering).rejects.toThrow(/one.journal cannot be locked: its inode number changes/);
});

const taken = { end: 'rolled-back' };
test.each([
  ['another machine-id', { machine: 'theirs' }, {}, /^journal one was started under another machine-id/],
  ['another machine-id, to be ignored', { machine: 'theirs' }, { ignoreMachineId: true }, taken],
  ['another machine-id, of a container in this boot', { machine: 'theirs', boot: 'now' }, {}, taken],
  ['the same machine-id', { machine: 'ours' }, {}, taken],
  ['no machine-id', {}, {}, taken],
] as const)('recovery of an earlier boot: %s', async (_, of, options, expected) => {
  const { engine } = place();
  const { pid, started } = engine.processes.self;
  const as = (self: Partial<Owner>): Engine => ({
    ...engine,
    processes: { ...engine.processes, self: { pid, started, boot: 'before', ...self } },
  });
  left(as(of), 'one', [scope]);

  const recovering = recover('one', { engine: as({ boot: 'now', machine: 'ours' }), yes: true, ...options });

  if (expected instanceof RegExp) await expect(recovering).rejects.toThrow(expected);
  else expect(await recovering).toMatchObject(expected);
});

test('leaves a journal with a step on an unknown host untouched', async () => {
  const { engine } = place();
  left(engine, 'one', [intent(1, { host: 'far' })]);

  await expect(recover('one', { engine, yes: true })).rejects.toThrow(
    /the host "far" of a step is not known here; nothing was touched/,
  );
});

test('shows a damaged last line and can cut it off; recovery cuts off a torn one', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);
  const path = join(journals, 'one.journal');
  const good = readFileSync(path, 'utf8');
  appendFileSync(path, '00000000 {"t":"committed"}\n');

  await expect(openJournals(engine)).rejects.toThrow(/one.journal, line 3: its checksum is wrong/);
  const cut = await cutLastLine(engine, 'one');
  const afterCut = readFileSync(path, 'utf8');
  appendFileSync(path, '1234abcd {"t":"comm');
  const recovered = await recover('one', { engine, yes: true });

  expect(cut).toBe('00000000 {"t":"committed"}');
  expect(afterCut).toBe(good);
  expect(recovered.end).toBe('rolled-back');
});

test('stores why and by whom a journal was abandoned', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);

  await abandon(engine, 'one', 'it is wanted');

  // Whoever runs the tests.
  const user = JSON.stringify(engine.who.user);
  expect(readFileSync(join(journals, 'history/one.journal'), 'utf8')).toMatch(
    new RegExp(`"outcome":"abandoned","because":"it is wanted","user":${user}}\n$`),
  );
});

test.each([
  ['a host that is away', new ConnectionError('far cannot be reached', { host: 'far', connection: 'none' })],
  [
    'a host where a program of it still runs',
    new JournalError('a program of sequence one still runs on far'),
  ],
])('abandons a journal with %s only when nothing of it runs there', async (_, why) => {
  const { engine, journals } = place();
  left(engine, 'one', [{ t: 'host', host: 'far', reach: null }]);
  const reservations = { release: () => Promise.reject(why) } as unknown as Reservations;
  const far: Engine = { ...engine, place: () => ({ host: engine.host, on: engine.on, reservations }) };

  const abandoned = await abandon(far, 'one', 'it is wanted').catch((error: unknown) => error);

  const runs = why instanceof JournalError;
  expect(abandoned).toEqual(runs ? why : ['far']);
  expect(readdirSync(journals)).toContain(runs ? 'one.journal' : 'history');
});

test('does not touch a journal while another process recovers it', async () => {
  const { engine } = place();
  left(engine, 'one', [scope]);
  const file = engine.store.open('one.journal');
  if (file === undefined) throw new Error('it is there');
  await engine.flock([{ fd: file.fd, mode: 'exclusive' }]);

  await expect(abandon(engine, 'one', 'x')).rejects.toThrow(/is in use/);
  await expect(cutLastLine(engine, 'one')).rejects.toThrow(/is in use/);

  const journal = adopt(engine.store, file, 'one', 'token');
  append(journal, [{ t: 'recovery', ...ownerLine(engine) }]);
  expect((await recover('one', { engine, yes: true })).end).toBe('running');
  close(journal, { t: 'closed', outcome: 'rolled-back' });
  file.close();
});

test('a journal does not grow when its recovery fails repeatedly, and keeps completed steps', async () => {
  const { engine, journals } = place();
  const attempt: Line = { t: 'recovery', ...ownerLine(engine), pid: 1, started: 1 };
  const blocked: Line = { t: 'blocked', n: 1, why: 'bare' };
  const bare = (n: number) => intent(n, { kind: 'bare', claims: { makes: [`x${String(n)}`] } });
  left(engine, 'one', [
    ...[bare(1), bare(2), { t: 'rollback', because: 'it failed' } as const, blocked],
    ...[attempt, { t: 'undone', n: 2 } as const, blocked],
    ...[attempt, blocked, attempt, attempt, blocked],
  ]);
  const path = join(journals, 'one.journal');
  const kinds = (): readonly string[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => /"t":"(?<t>[^"]+)"/.exec(line)?.groups?.t ?? []);
  writeFileSync(join(journals, 'one.d/out.1'), 'of an earlier attempt');

  const seen: (readonly string[])[] = [];
  for (let n = 0; n < 3; n += 1) {
    await expect(recover('one', { engine, yes: true })).rejects.toThrow(StuckError);
    seen.push(kinds());
  }

  const useful = ['begin', 'intent', 'intent', 'rollback', 'blocked', 'recovery', 'undone', 'blocked'];
  expect(seen).toEqual([1, 2, 3].map(() => [...useful, 'recovery', 'blocked']));
  expect(readdirSync(join(journals, 'one.d'))).toEqual([]);
});

test('removes leftovers of an interrupted journal creation or archiving, and nothing else', async () => {
  const { engine, journals } = place();
  left(engine, 'open', [scope]);
  for (const name of ['unborn.new', 'unborn.ballast', 'moved.ballast', 'notes.txt'])
    writeFileSync(join(journals, name), '');

  await removeJournalLeftovers(engine);

  expect(readdirSync(journals)).toEqual(['notes.txt', 'open.ballast', 'open.d', 'open.journal']);
});

test('the plan shows what recovery would do, in its order', () => {
  const rest = { version: 1, args: null, undo: null, host: '', boot: 'b', after: false } as const;
  const state = fold([
    {
      t: 'begin',
      format: 1,
      id: 'a',
      name: 'n',
      argv: [],
      host: '',
      pid: 1,
      started: 1,
      boot: 'b',
      user: '',
      bofh: '',
    },
    { t: 'intent', n: 1, kind: 'vol', claims: { makes: ['v'] }, contains: 'v', lives: 'disk', ...rest },
    { t: 'intent', n: 2, kind: 'fs', claims: { changes: ['v'] }, within: 'v', lives: 'disk', ...rest },
    { t: 'intent', n: 3, kind: 'mount', claims: { needs: ['v'] }, lives: 'boot', ...rest, boot: 'a' },
    { t: 'intent', n: 4, kind: 'bare', claims: { makes: ['x'] }, lives: 'disk', ...rest },
  ]);

  const steps = plan(state, { '': 'b' });

  expect(steps.map(({ do: what, step, inside }) => [what, step.n, inside.map(({ n }) => n)])).toEqual([
    ['blocked', 4, []],
    ['look', 3, []],
    ['undo', 1, [2]],
  ]);
});

test('does not cut the last line off a valid journal', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);
  const before = readFileSync(join(journals, 'one.journal'), 'utf8');

  await expect(cutLastLine(engine, 'one')).rejects.toThrow(/every line of journal one is complete/);

  expect(readFileSync(join(journals, 'one.journal'), 'utf8')).toBe(before);
});

test('does not cut off the last line when an earlier one is damaged too', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);
  const path = join(journals, 'one.journal');
  appendFileSync(path, '00000000 {"t":"committed"}\n00000000 {"t":"committed"}\n');
  const before = readFileSync(path, 'utf8');

  await expect(cutLastLine(engine, 'one')).rejects.toThrow(/line 3: its checksum is wrong/);

  expect(readFileSync(path, 'utf8')).toBe(before);
});

test('cuts off a torn write after a damaged last line with it', async () => {
  const { engine, journals } = place();
  left(engine, 'one', [scope]);
  const path = join(journals, 'one.journal');
  const good = readFileSync(path, 'utf8');
  appendFileSync(path, '00000000 {"t":"committed"}\n1234abcd {"t":"fin');

  const cut = await cutLastLine(engine, 'one');

  expect(cut).toBe('00000000 {"t":"committed"}\n1234abcd {"t":"fin');
  expect(readFileSync(path, 'utf8')).toBe(good);
});

test('a recovery whose last line cannot be written does not claim that nothing was touched', async () => {
  const { engine } = place();
  left(engine, 'one', [scope]);
  let syncs = 0;
  const { store } = engine;
  const failing: Engine = {
    ...engine,
    store: {
      ...store,
      open: (name) => {
        const file = store.open(name);
        if (file === undefined) return undefined;
        // The journal read is made durable first, then `recovery`; the third is `closed`.
        const datasync = (): void => {
          if ((syncs += 1) === 3) throw new Error('EIO');
          file.datasync();
        };
        return { ...file, datasync };
      },
    },
  };

  await expect(recover('one', { engine: failing, yes: true })).rejects.toBeInstanceOf(StuckError);
});

test.each([
  ['that others can write', 0o777],
  ['that the group can write', 0o770],
])('refuses a journal directory %s', (_how, mode) => {
  const { engine, journals } = place();
  mkdirSync(journals);
  chmodSync(journals, mode);

  expect(() => engine.store.names('.')).toThrow(/cannot hold the journals/);
  expect(() => engine.store.create('one.new')).toThrow(/cannot hold the journals/);
});

test('refuses a journal directory below one that others can write', () => {
  const { engine, journals } = place('a/b/c');
  mkdirSync(journals, { recursive: true, mode: 0o700 });
  const above = join(journals, '../../..');
  chmodSync(above, 0o777);

  expect(() => engine.store.names('.')).toThrow(
    `${journals} cannot hold the journals: ${above} can be written by others (mode 777)`,
  );
  chmodSync(above, 0o1777);
  expect(engine.store.names('.')).toEqual([]);
});
