import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod/mini';
import { AtomicOperationSequence, type Engine, operation } from '../../src/atomic/index.ts';
import { recover } from '../../src/atomic/recovery/recover.ts';
import { reservedIn } from '../../src/atomic/locks/reservations.ts';
import { keysOf } from '../../src/blockdevice/index.ts';
import { type Answer, type ChangeHost, type Command, Secret } from '../../src/command/index.ts';
import {
  type CommandError,
  ConnectionError,
  JournalError,
  RolledBackError,
  StuckError,
} from '../../src/core/errors.ts';
import { save } from '../../src/copy/save.ts';
import { create } from '../../src/file/index.ts';
import { localHost } from '../../src/host/local.ts';
import { sshHost, type SshHost, type SshHostOptions } from '../../src/host/ssh/host.ts';
import { processStat } from '../../src/core/proc.ts';
import { rejectionOf } from '../support/rejection.ts';
import { procText, type Sshd, startSshd } from '../support/sshd/index.ts';
import { shellWord } from '../support/words.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

// A sequence here whose steps act over there. Both hosts are this machine, each with directories of its own.

let sshd: Sshd;
let directory: string;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'bofh-two-'));
  for (const name of ['here', 'there', 'here/data', 'there/data']) mkdirSync(join(directory, name));
  sshd = await startSshd();
});

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

const at = (...names: readonly string[]): string => join(directory, ...names);

function far(more: Partial<SshHostOptions> = {}): SshHost {
  const place = { stateDir: at('there', 'state'), runDir: at('there', 'run') };
  const host = sshHost({ name: 'there', configFile: sshd.configFile, ...place, ...more });
  cleanups.push(() => host.close());
  return host;
}

/** The engine of this host, which knows one other. */
function engineHere(there: SshHost = far()): Engine {
  const engine = testEngine(at('here'));
  return {
    ...engine,
    find: async (kind, version) => (kind === claim.kind ? claim : engine.find(kind, version)),
    place: (name) =>
      name === 'there'
        ? { host: there, on: (path) => keysOf(there, path), reservations: there.reservations }
        : undefined,
  };
}

const reservedThere = () => reservedIn(at('there', 'state'), at('there', 'run'), localHost());

/** The engine of a bofh that runs over there. */
function engineThere(): Engine {
  const engine = testEngine(at('there', 'run'));
  return {
    ...engine,
    find: async (kind, version) => (kind === claim.kind ? claim : engine.find(kind, version)),
    reserved: reservedThere(),
  };
}

const file = (...names: readonly string[]) => ({ path: at(...names), content: 'x\n', mode: 0o644 });
const reservations = (): readonly string[] => {
  const path = at('there', 'state', 'reservations');
  return existsSync(path) ? readdirSync(path) : [];
};
const left = (): readonly string[] =>
  [...readdirSync(at('here', 'data')), ...readdirSync(at('there', 'data'))].filter(
    (name) => !name.startsWith('.bofh-'),
  );

/** Takes one object for itself, and does no more than make a file. */
const claim = operation({
  kind: 'test.claim',
  version: 1,
  args: z.object({ path: z.string(), key: z.string() }),
  undo: z.object({ path: z.string(), key: z.string() }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args }) => args,
  claims: ({ args }) => ({ makes: [args.key] }),
  run: async ({ undo, host }) => {
    await host.writeNew(undo.path, '', { mode: 0o600 });
    return null;
  },
  value: () => undefined,
  look: async ({ undo, host }) => ({ state: (await host.stat(undo.path)) === undefined ? 'gone' : 'ours' }),
  revert: async ({ undo, host }) => host.removeFile(undo.path),
});

describe('a sequence over two hosts', () => {
  test('completes on both, and leaves no reservation', async () => {
    await sequence(engineHere(), async (tx) => {
      await tx.step(create, file('here', 'data', 'a'));
      await tx.on('there').step(create, file('there', 'data', 'b'));
      expect(reservations()).toHaveLength(1);
    });

    expect(left()).toEqual(['a', 'b']);
    expect(reservations()).toEqual([]);
    expect(readdirSync(at('there', 'run', 'away'))).toEqual([]);
  });

  test('is refused when it reaches one host under two names, and undone', async () => {
    const engine = engineHere();
    const twin = far({ name: 'twin', destination: 'there' });
    const place: Engine['place'] = (name, reach) =>
      name === 'twin'
        ? { host: twin, on: (path) => keysOf(twin, path), reservations: twin.reservations }
        : engine.place?.(name, reach);
    const failed = await rejectionOf(
      sequence({ ...engine, place }, async (tx) => {
        await tx.on('there').step(create, file('there', 'data', 'b'));
        await tx.on('twin').step(create, file('there', 'data', 'c'));
      }),
    );

    expect(String((failed as Error).cause)).toContain(
      'is in use by this sequence itself, which reaches the same host as "there"',
    );
    expect(left()).toEqual([]);
    expect(reservations()).toEqual([]);
  });

  test('is undone on both', async () => {
    const failed = await rejectionOf(
      sequence(engineHere(), async (tx) => {
        await tx.on('there').step(create, file('there', 'data', 'b'));
        await tx.step(create, file('here', 'data', 'a'));
        await tx.on('there').step(create, file('there', 'data', 'c'));
        throw new Error('enough');
      }),
    );

    expect(failed).toBeInstanceOf(RolledBackError);
    expect(left()).toEqual([]);
    expect(reservations()).toEqual([]);
  });
});

let names = 0;
const made = (): string => String((names += 1));

describe('another host with an unfinished sequence', () => {
  test('a bofh there is refused exactly the reserved objects', async () => {
    await sequence(engineHere(), async (tx) => {
      await tx.on('there').step(claim, { path: at('there', 'data', 'b' + made()), key: 'test:b' });

      const refused = await rejectionOf(
        sequence(engineThere(), (own) =>
          own.step(claim, { path: at('there', 'data', 'b' + made()), key: 'test:b' }),
        ),
      );
      await sequence(engineThere(), (own) =>
        own.step(claim, { path: at('there', 'data', 'c' + made()), key: 'test:c' }),
      );

      expect(refused).toBeInstanceOf(JournalError);
      expect((refused as Error).message).toMatch(/is reserved by sequence \S+ "test" of the bofh on /);
      expect((refused as JournalError).remedy).toMatch(
        /only if it has ended there \(bofh journal show \S+\), or if /,
      );
    });

    expect(left()).toHaveLength(2);
  });

  test('refuses objects of a sequence that a bofh there started', async () => {
    const held = vi.fn<() => void>();
    await sequence(engineThere(), async (own) => {
      await own.step(claim, { path: at('there', 'data', 'c' + made()), key: 'test:c' });
      const refused = await rejectionOf(
        sequence(engineHere(), (tx) =>
          tx.on('there').step(claim, { path: at('there', 'data', 'c' + made()), key: 'test:c' }),
        ),
      );
      expect((refused as Error).message).toMatch(
        /test:c on there is in use by a bofh that runs on there now/,
      );
      held();
    });

    expect(held).toHaveBeenCalled();
    expect(reservations()).toEqual([]);
  });

  test('refuses objects that a bofh there left unfinished', async () => {
    const engine = engineThere();
    const stop = new AbortController();
    const crashed = new AtomicOperationSequence({
      engine,
      name: 'crashed',
      stop: stop.signal,
      abandon: stop.signal,
    });
    await rejectionOf(
      crashed.run(async (tx) => {
        await tx.step(claim, { path: at('there', 'data', 'c' + made()), key: 'test:c' });
        stop.abort();
      }),
    );
    rmSync(at('there', 'state'), { recursive: true, force: true });
    mkdirSync(at('there', 'state'));
    renameSync(at('there', 'run', 'journal'), at('there', 'state', 'journal'));

    const refused = await rejectionOf(
      sequence(engineHere(), (tx) =>
        tx.on('there').step(claim, { path: at('there', 'data', 'c' + made()), key: 'test:c' }),
      ),
    );

    expect((refused as Error).message).toMatch(/test:c on there belongs to the sequence \S+ "crashed" there/);
  });

  test('of two coordinators that want one object, one is refused', async () => {
    const second = {
      ...engineHere(),
      store: testEngine(at('other')).store,
      locks: testEngine(at('other')).locks,
    };
    await sequence(engineHere(), async (tx) => {
      await tx.on('there').step(claim, { path: at('there', 'data', 'b' + made()), key: 'test:b' });

      const refused = await rejectionOf(
        sequence(second, (own) =>
          own.on('there').step(claim, { path: at('there', 'data', 'b' + made()), key: 'test:b' }),
        ),
      );

      expect((refused as Error).message).toMatch(
        /test:b on there is in use by the sequence \S+ "test", which bofh runs on/,
      );
    });

    expect(left()).toHaveLength(1);
  });
});

/** The processes of sshd itself, and not what they have started. */
const servers = (): readonly number[] =>
  sshd.connections().filter((pid) => procText(pid, 'comm') === 'sshd\n');

/** A tool that is ours, in the place of tar. */
function tool(body: string): Pick<SshHostOptions, 'tools'> {
  const path = at(`tool-${String(Math.random()).slice(2)}`);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return { tools: { tar: path } };
}

const run = (more: Partial<Command<Answer>> = {}): Command<Answer> => ({
  tool: 'tar',
  argv: [],
  access: 'change',
  parse: (answer) => answer,
  ...more,
});

/** A host in the middle of a step of ours. */
async function during<T>(
  there: SshHost,
  body: (
    change: ChangeHost,
    of: { readonly id: string; readonly token: string; readonly boot: string },
  ) => Promise<T>,
): Promise<T> {
  const { boot } = await there.facts();
  const of = { id: 'abc123', name: 'test', token: 'mine', boot };
  expect(await there.reservations.reserve(of, { exclusive: ['file:/x'], shared: [] })).toBeUndefined();
  try {
    return await body(there.during({ outputs: '/nowhere', lock: -1, sequence: of }), of);
  } finally {
    await there.reservations.release(of.id);
  }
}

describe('a change over ssh', () => {
  test('gets its arguments and its input byte for byte', async () => {
    const there = far(tool('printf "%s\\0" "$@"; cat'));
    await during(there, async (change) => {
      await fc.assert(
        fc.asyncProperty(fc.array(shellWord, { maxLength: 5 }), fc.uint8Array(), async (words, stdin) => {
          const answer = await change.run(run({ argv: ['', ...words], stdin, encoding: 'latin1' }));
          const expected = Buffer.concat([
            Buffer.from(['', ...words].map((each) => `${each}\0`).join('')),
            stdin,
          ]);
          expect(answer.stdout).toBe(expected.toString('latin1'));
        }),
        { numRuns: 15 },
      );
    });
  }, 120_000);

  test('gets a second key, and leaves no key behind', async () => {
    const there = far(tool('cat; cat /proc/self/fd/4'));
    const answer = await during(there, (change) =>
      change.run(run({ stdin: 'one', secondKey: new Secret('two') })),
    );

    expect(answer.stdout).toBe('onetwo');
  });

  test('fails with the exit code and output of its program', async () => {
    const there = far(tool('echo why >&2; exit 5'));
    const failed = await during(there, (change) => rejectionOf(change.run(run())));

    expect(failed).toMatchObject({ name: 'CommandError', exitCode: 5, stderr: 'why\n' });
  });

  test('names the program of a pipeline that failed', async () => {
    const there = far(tool('[ "$1" = ok ] && exec cat; echo broken >&2; exit 3'));
    const commands = [
      run({ argv: ['ok'], stdin: 'x' }),
      run({ argv: ['bad'] }),
      run({ argv: ['ok'] }),
    ] as const;
    const failed = await during(there, (change) =>
      rejectionOf(change.pipe({ commands: [...commands], parse: (answer) => answer })),
    );

    expect(failed).toMatchObject({ exitCode: 3, stderr: 'broken\n', argv: ['bad'] });
  });

  test('does not start without the reservation of its own process', async () => {
    const there = far(tool(`touch ${at('began')}`));
    await during(there, async (change, of) => {
      await there.reservations.fence({ ...of, name: 'test', token: 'recovery' }, {});
      const refused = await rejectionOf(change.run(run()));
      expect((refused as Error).message).toMatch(/it is no longer reserved for this sequence/);
    });

    expect(existsSync(at('began'))).toBe(false);
  });

  test('does not start in another boot', async () => {
    const there = far(tool(`touch ${at('began')}`));
    await during(there, async (_change, of) => {
      const sequence = { ...of, boot: 'an earlier one' };
      const refused = await rejectionOf(there.during({ outputs: '/', lock: -1, sequence }).run(run()));
      expect((refused as Error).message).toMatch(/it was booted meanwhile/);
    });

    expect(existsSync(at('began'))).toBe(false);
  });

  test('continues when the connection is cut, and recovery waits for it', async () => {
    const there = far(
      tool(
        `echo begun >${at('began')}; while [ ! -e ${at('go')} ]; do sleep 0.1; done; echo x >${at('done')}`,
      ),
    );
    await during(there, async (change, of) => {
      const changing = rejectionOf(change.run(run({ argv: ['a word'] })));
      await vi.waitFor(() => expect(existsSync(at('began'))).toBe(true), { timeout: 20_000 });
      for (const pid of servers()) process.kill(pid, 'SIGKILL');
      const lost = await changing;
      const seen: string[] = [];
      const fenced = there.reservations.fence(
        { ...of, name: 'test' },
        { onWait: ({ command }) => void seen.push(command) },
      );
      await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), { timeout: 20_000 });
      expect(existsSync(at('done'))).toBe(false);
      writeFileSync(at('go'), '');

      expect(await fenced).toBe('fenced');
      expect(existsSync(at('done'))).toBe(true);
      expect(lost).toBeInstanceOf(ConnectionError);
      expect(seen[0]).toMatch(/^\/.*tool-\d+ a word$/);
    });
  }, 60_000);

  test('is waited for by its sequence and by recovery when the shell with its lock was killed', async () => {
    const there = far(
      tool(
        `echo $$ >${at('pid')}; echo begun >${at('began')}; while [ ! -e ${at('go')} ]; do sleep 0.1; done; echo x >${at('done')}`,
      ),
    );
    await during(there, async (change, of) => {
      const changing = rejectionOf(change.run(run({ argv: ['a word'] })));
      await vi.waitFor(() => expect(existsSync(at('began'))).toBe(true), { timeout: 20_000 });
      const pid = Number(readFileSync(at('pid'), 'utf8'));
      process.kill(processStat(pid)?.parent ?? 0, 'SIGKILL');
      const seen: number[] = [];
      const abandoned = await rejectionOf(there.reservations.release(of.id));
      const fenced = there.reservations.fence(
        { ...of, name: 'test' },
        { onWait: (holder) => void seen.push(holder.pid) },
      );
      await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), { timeout: 20_000 });
      expect(existsSync(at('done'))).toBe(false);
      writeFileSync(at('go'), '');

      expect(await fenced).toBe('fenced');
      expect(existsSync(at('done'))).toBe(true);
      expect(new Set(seen)).toEqual(new Set([pid]));
      expect((abandoned as Error).message).toMatch(/still runs on/);
      expect(await changing).toMatchObject({ reason: 'killed' });
    });
  }, 60_000);

  test('keeps its host reserved while it runs, and its sequence cannot be abandoned', async () => {
    const there = far(tool(`echo begun >${at('began')}; while [ ! -e ${at('go')} ]; do sleep 0.1; done`));
    await during(there, async (change, of) => {
      const changing = change.run(run());
      await vi.waitFor(() => expect(existsSync(at('began'))).toBe(true), { timeout: 20_000 });

      const refused = await rejectionOf(there.reservations.release(of.id));
      expect(reservations()).toEqual([of.id]);
      writeFileSync(at('go'), '');
      await changing;

      expect((refused as Error).message).toMatch(/a program of sequence abc123 still runs on there/);
    });

    expect(reservations()).toEqual([]);
  }, 60_000);

  test('works on a host that allows one session at a time', async () => {
    await sshd.stop();
    sshd = await startSshd({ server: ['MaxSessions 1'] });
    const there = far(tool('echo done'));
    const [answer, stat] = await during(there, (change) =>
      Promise.all([change.run(run()), there.stat('/'), there.readLink('/proc/self/cwd')]),
    );

    expect(answer.stdout).toBe('done\n');
    expect(stat?.kind).toBe('directory');
  });

  test('is ended by a signal if that is safe', async () => {
    const there = far(tool(`echo begun >${at('began')}; exec sleep 60`));
    const stop = new AbortController();
    const failed = await during(there, async (_change, of) => {
      const change = there.during({ outputs: '/nowhere', lock: -1, sequence: of, signal: stop.signal });
      const changing = rejectionOf(change.run(run({ stop: 'safe' })));
      await vi.waitFor(() => expect(existsSync(at('began'))).toBe(true), { timeout: 20_000 });
      stop.abort();
      return await changing;
    });

    expect(failed).toMatchObject({ name: 'CommandError', reason: 'killed' });
  }, 60_000);
});

describe('a pipeline that begins on this host', () => {
  const near = (tool: Command<Answer>['tool'], ...argv: readonly string[]) =>
    run({ tool, argv, here: true, stop: 'safe' });
  /** A step there; the outputs of commands of this host are kept here. */
  const streaming = async (
    there: SshHost,
    commands: readonly [Command<Answer>, ...Command<Answer>[]],
    more: { readonly signal?: AbortSignal } = {},
  ): Promise<Answer> =>
    during(there, (_change, of) =>
      there
        .during({ outputs: at('here'), lock: -1, sequence: of, ...more })
        .pipe({ commands, parse: (answer) => answer }),
    );
  const endless = near('dd', 'if=/dev/zero', 'bs=1M', 'count=1000000', 'status=none');

  test('sends the output of its commands to those of the other host', async () => {
    const content = randomBytes(5 * 1024 ** 2 + 1);
    writeFileSync(at('content'), content);

    const answer = await streaming(far(tool(`cat >${at('there', 'copy')}; wc -c <${at('there', 'copy')}`)), [
      near('dd', `if=${at('content')}`, 'bs=1M', 'status=none'),
      near('zstd', '--quiet', '--stdout'),
      run({ tool: 'zstd', argv: ['--quiet', '--decompress', '--stdout'] }),
      run(),
    ]);

    expect(answer).toMatchObject({ exitCode: 0, stdout: `${content.length}\n` });
    expect(readFileSync(at('there', 'copy')).equals(content)).toBe(true);
    expect(readdirSync(at('here'))).toEqual(['data']);
  });

  test('may run here to its end', async () => {
    writeFileSync(at('content'), 'x');
    const commands = [near('dd', `if=${at('content')}`, 'status=none'), near('sha256sum')] as const;
    expect((await streaming(far(), [...commands])).stdout).toMatch(/^2d711642/);
  });

  test.each<{ title: string; commands: () => readonly [Command<Answer>, Command<Answer>]; why: RegExp }>([
    {
      title: 'the other host reads no more, and says why',
      commands: () => [endless, run()],
      why: /^tar 3 the disk is full\n$/,
    },
    {
      title: 'this host cannot read the device',
      commands: () => [near('dd', `if=${at('nothing')}`, 'status=none'), run({ argv: ['all'] })],
      why: /^dd 1 .*No such file or directory/,
    },
  ])('fails if $title', async ({ commands, why }) => {
    const there = far(
      tool('[ "$1" = all ] && exec cat >/dev/null; head -c 9 >/dev/null; echo the disk is full >&2; exit 3'),
    );

    const failed = (await rejectionOf(streaming(there, commands()))) as CommandError;

    expect(`${failed.tool} ${String(failed.exitCode)} ${failed.stderr}`).toMatch(why);
  });

  test('fails if the connection is cut, and both ends of it end', async () => {
    const there = far(tool(`echo begun >${at('began')}; exec cat >/dev/null`));
    const failed = rejectionOf(streaming(there, [endless, run()]));
    await vi.waitFor(() => expect(existsSync(at('began'))).toBe(true), { timeout: 20_000 });

    for (const pid of servers()) process.kill(pid, 'SIGKILL');

    expect(await failed).toBeInstanceOf(ConnectionError);
  }, 60_000);

  test('is ended by a signal', async () => {
    const there = far(tool(`echo begun >${at('began')}; exec cat >/dev/null`));
    const stop = new AbortController();
    const failed = rejectionOf(streaming(there, [endless, run({ stop: 'safe' })], { signal: stop.signal }));
    await vi.waitFor(() => expect(existsSync(at('began'))).toBe(true), { timeout: 20_000 });

    stop.abort();

    expect(await failed).toMatchObject({ name: 'CommandError', reason: 'killed' });
  }, 60_000);

  test('saves a device of this host in a file of the other one, encrypted or not', async () => {
    const disk = storage();
    cleanups.push(() => disk.clean());
    const { device } = disk.ext4('source');
    const size = 16 * 1024 ** 2;
    sh('age-keygen', '--output', at('key'));
    const recipient = sh('age-keygen', '-y', at('key')).trim();
    const sumOf = (command: string): string => sh('sh', '-ec', `${command} | sha256sum`).slice(0, 64);
    const [plain, secret] = [at('there', 'data', 'plain'), at('there', 'data', 'secret')];

    const saved = await sequence(engineHere(), async (tx) => [
      await tx.on('there').step(save, { device, here: true, size, file: plain }),
      await tx.on('there').step(save, { device, here: true, size, file: secret, recipients: [recipient] }),
    ]);

    expect(saved.map(({ sha256 }) => sha256)).toEqual([sumOf(`cat ${device}`), sumOf(`cat ${device}`)]);
    expect(saved.map(({ fileSha256 }) => fileSha256)).toEqual([
      sumOf(`cat ${plain}`),
      sumOf(`cat ${secret}`),
    ]);
    expect(sumOf(`zstd -dc ${plain}`)).toBe(saved[0]?.sha256);
    expect(sumOf(`age -d -i ${at('key')} ${secret} | zstd -dc`)).toBe(saved[0]?.sha256);
    expect(reservations()).toEqual([]);

    const failed = await rejectionOf(
      sequence(engineHere(), async (tx) => {
        await tx.on('there').step(save, { device, here: true, size, file: at('there', 'data', 'third') });
        throw new Error('enough');
      }),
    );
    expect(failed).toBeInstanceOf(RolledBackError);
    expect(left()).toEqual(['plain', 'secret']);
  }, 60_000);
});

describe('a file change over ssh', () => {
  test('succeeds and fails like one on this host', async () => {
    const there = far();
    await during(there, async (change) => {
      const path = at('there', 'data', "o'dd \n name");
      const stat = await change.writeNew(path, 'content', { mode: 0o640 });
      expect(stat).toMatchObject({ kind: 'file', mode: 0o640, size: 7 });
      expect(readFileSync(path, 'utf8')).toBe('content');
      expect(await rejectionOf(change.writeNew(path, 'other', { mode: 0o600 }))).toMatchObject({
        reason: 'exists',
      });
      expect(readFileSync(path, 'utf8')).toBe('content');
      await change.link(path, at('there', 'data', 'link'));
      expect(await rejectionOf(change.link(path, at('there', 'data', 'link')))).toMatchObject({
        reason: 'exists',
      });
      await change.rename(at('there', 'data', 'link'), at('there', 'data', '-renamed'));
      await change.removeFile(at('there', 'data', '-renamed'));
      expect(await rejectionOf(change.removeFile(at('nothing')))).toMatchObject({ reason: 'not-found' });
      await change.makeDir(at('there', 'data', 'p', 'q'), { mode: 0o750, parents: true });
      expect(await rejectionOf(change.makeDir(at('there', 'data', 'p'), { mode: 0o750 }))).toMatchObject({
        reason: 'exists',
      });
      expect(await rejectionOf(change.removeDir(at('there', 'data', 'p')))).toMatchObject({
        reason: 'exists',
      });
      await change.removeDir(at('there', 'data', 'p', 'q'));
      await change.sync(at('there', 'data'));
      expect((await there.stat(at('there', 'data', 'p')))?.mode).toBe(0o750);
    });
  }, 60_000);
});

describe('a host that goes away in the middle', () => {
  /** As when the network is gone: no new connection, and no old one. */
  async function cut(): Promise<void> {
    await sshd.stop();
  }

  test('leaves the sequence open with its leftovers, and recovery continues when it is back', async () => {
    const there = far();
    const engine = engineHere(there);
    const failed = await rejectionOf(
      sequence(engine, async (tx) => {
        await tx.step(create, file('here', 'data', 'a'));
        await tx.on('there').step(create, file('there', 'data', 'b'));
        await cut();
        throw new Error('enough');
      }),
    );

    expect(failed).toBeInstanceOf(StuckError);
    expect((failed as StuckError).blocked).toMatchObject([{ n: 2, kind: 'file.create' }]);
    expect((failed as Error).message).toMatch(/there/);
    expect(left()).toEqual(['b']);
    const { id = '' } = failed as StuckError;
    const still = await rejectionOf(recover(id, { engine, yes: true }));
    expect(still).toBeInstanceOf(StuckError);

    sshd = await startSshd();
    const again = engineHere(far());
    expect(await recover(id, { engine: again, yes: true })).toMatchObject({ end: 'rolled-back' });
    expect(left()).toEqual([]);
    expect(reservations()).toEqual([]);
  }, 60_000);

  test('is left untouched after the sequence was abandoned there', async () => {
    const engine = engineHere();
    const failed = await rejectionOf(
      sequence(engine, async (tx) => {
        await tx.on('there').step(create, file('there', 'data', 'b'));
        await cut();
        throw new Error('enough');
      }),
    );
    const { id = '' } = failed as StuckError;
    await reservedThere().abandon(id, 'the other one burned down');
    sshd = await startSshd();

    const stays = await rejectionOf(recover(id, { engine: engineHere(far()), yes: true }));

    expect((stays as Error).message).toMatch(/there has no reservation for this sequence/);
    expect(left()).toEqual(['b']);
    expect(readFileSync(at('there', 'state', 'reservations', 'history', id), 'utf8')).toMatch(
      /abandoned "the other one burned down"\n$/,
    );
  }, 60_000);
});
