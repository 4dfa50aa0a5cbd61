import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AnyOperation, Operation, Steps } from '../../src/atomic/index.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { type KeyRef, Secret } from '../../src/command/index.ts';
import { testKey } from '../../src/crypt/read-commands.ts';
import * as crypt from '../../src/crypt/operations.ts';
import { findProgram } from '../../src/host/program.ts';
import { localHost, type LocalHostOptions } from '../../src/host/local.ts';
import { type Hunt, hunt } from '../support/secrets/hunt.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

// Neither is anywhere on this machine by chance.
const secret = 'Geheim-7f3a9c51e0d24b86';
const wrong = 'Falsch-19c2b7aa40e55d31';
const quick = { pbkdf: 'pbkdf2', pbkdfTimeMs: 10 } as const;

let disk: ReturnType<typeof storage>;
let device = '';
let state = '';
let runs = 0;
let hunted: Hunt;
let cryptsetup = '';

beforeAll(async () => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 32 }).device;
  cryptsetup = await findProgram('cryptsetup', 'cryptsetup-bin');
  // Beside the directories that are searched.
  writeFileSync(disk.path('key'), secret, { mode: 0o600 });
  writeFileSync(disk.path('wrong'), wrong, { mode: 0o600 });
});

afterAll(() => {
  disk.clean();
});

beforeEach(() => {
  sh('wipefs', '--all', device);
  runs += 1;
  state = disk.makeDir(`state-${runs}`);
  hunted = hunt({
    secrets: [secret, wrong],
    directories: [state, '/run/bofh'],
    own: disk.path(`hunt-${runs}`),
  });
});

afterEach(() => {
  hunted.end();
});

/** A host whose cryptsetup stands still until everything was searched, and whose log is searched too. */
function hostOf(options: LocalHostOptions = {}) {
  return localHost({
    tools: { cryptsetup: hunted.stopping('cryptsetup', cryptsetup) },
    log: (event) => hunted.text('log', event),
    ...options,
  });
}

const codes = Object.values(crypt) as readonly unknown[] as readonly AnyOperation[];

/** Runs a sequence on that host; the journal is searched while each program runs, and at the end. */
async function run<T>(body: (tx: Steps) => Promise<T>, options: LocalHostOptions = {}): Promise<T> {
  const host = hostOf(options);
  const engine = {
    ...testEngine(state),
    host,
    find: async (kind: string) => codes.find((one) => one.kind === kind),
  };
  try {
    return await sequence(engine, body);
  } catch (error) {
    hunted.text('error', error);
    hunted.text('error', error instanceof Error ? error.stack : error);
    throw error;
  } finally {
    hunted.everywhere();
  }
}

const step = <A, V>(code: Operation<A, V>, args: A) => run((tx) => tx.step(code, args));
const file = (name: string): KeyRef => ({ from: 'file', path: disk.path(name) });

/** Where a key can come from, each giving the same one. */
const sources: Readonly<Record<string, () => { readonly key: KeyRef; readonly options?: LocalHostOptions }>> =
  {
    'a file': () => ({ key: file('key') }),
    'a command': () => ({ key: { from: 'command', argv: ['/bin/cat', disk.path('key')] } }),
    'the site file': () => ({
      key: { from: 'site', name: 'x' },
      options: { siteKeys: () => ({ x: file('key') }) },
    }),
    'a person': () => ({ key: { from: 'ask' }, options: { askKey: async () => secret } }),
  };

describe('a secret appears nowhere', () => {
  test.each(Object.keys(sources))(
    'while a device is formatted with the key from %s, and undone',
    async (source) => {
      const { key, options } = sources[source]?.() ?? { key: file('key') };

      await run((tx) => tx.step(crypt.format, { device, key, ...quick }), options);
      expect(
        await hostOf().run(testKey({ device, key: { key: file('key'), use: 'present', of: device } })),
      ).toBe(true);
      sh('wipefs', '--all', device);
      await rejectionOf(
        run(async (tx) => {
          await tx.step(crypt.format, { device, key, ...quick });
          throw new Error('a later step fails');
        }, options),
      );

      expect(await probe(localHost(), device)).toBeUndefined();
      // Two formats and a test of the key: the headers are read without cryptsetup.
      expect(hunted.stops()).toBeGreaterThan(2);
      expect(hunted.finds).toEqual([]);
    },
  );

  test('while a device is reencrypted', async () => {
    await step(crypt.format, { device, key: file('key'), ...quick });

    await step(crypt.reencrypt, { device, key: file('key') });
    await rejectionOf(step(crypt.reencrypt, { device, key: file('wrong') }));

    expect(hunted.stops()).toBeGreaterThan(3);
    expect(hunted.finds).toEqual([]);
  });

  test('while keys are added, changed and removed, and one of them is wrong', async () => {
    await step(crypt.format, { device, key: file('key'), type: 'luks1', ...quick });

    await step(crypt.addKey, { device, key: file('key'), newKey: file('wrong'), ...quick });
    await step(crypt.changeKey, { device, key: file('wrong'), newKey: file('key'), ...quick });
    await step(crypt.removeKey, { device, slot: 0 });
    await rejectionOf(step(crypt.addKey, { device, key: file('wrong'), newKey: file('key'), ...quick }));
    await rejectionOf(
      run(async (tx) => {
        await tx.step(crypt.changeKey, { device, key: file('key'), newKey: file('wrong'), ...quick });
        throw new Error('a later step fails');
      }),
    );

    const fits = (name: string) => ({
      device,
      key: { key: file(name), use: 'present', of: device } as const,
    });
    expect(await hostOf().run(testKey(fits('key')))).toBe(true);
    expect(await hostOf().run(testKey(fits('wrong')))).toBe(false);
    const { uuid = '' } = (await probe(localHost(), device)) ?? {};
    await step(crypt.erase, { device, uuid });
    expect(hunted.stops()).toBeGreaterThan(20);
    expect(hunted.finds).toEqual([]);
  });

  test('while a device is not opened: with a wrong key, or without device-mapper', async () => {
    await step(crypt.format, { device, key: file('key'), type: 'luks1', ...quick });

    await rejectionOf(step(crypt.open, { device, key: file('wrong') }));
    const host = hostOf();
    expect(await host.run(testKey({ device, key: { key: file('wrong'), use: 'present', of: device } }))).toBe(
      false,
    );

    expect(hunted.stops()).toBeGreaterThan(3);
    expect(hunted.finds).toEqual([]);
  });

  test('when the program that prints it fails, or the key is refused', async () => {
    const command: KeyRef = {
      from: 'command',
      argv: ['/bin/sh', '-c', `cat ${disk.path('key')}; cat ${disk.path('key')} >&2; exit 3`],
    };

    expect(String(await rejectionOf(step(crypt.format, { device, key: command, ...quick })))).toContain(
      'exit 3',
    );
    let typed = 0;
    const askKey = async () => ((typed += 1) % 2 === 0 ? secret : wrong);
    await rejectionOf(
      run((tx) => tx.step(crypt.format, { device, key: { from: 'ask' }, ...quick }), { askKey }),
    );

    expect(typed).toBe(2);
    expect(hunted.finds).toEqual([]);
  });

  test('in the text of a Secret', () => {
    const key = new Secret(secret);

    hunted.text('inspect', key);
    hunted.text('inspect', { key, all: [key] });
    hunted.text('text', `${String(key)} ${key.toString()}`);
    expect(() => JSON.stringify({ key })).toThrow(TypeError);
    expect(hunted.finds).toEqual([]);
  });
});

// Without these, a hunt that sees nothing would look the same.
describe('the search finds a secret', () => {
  const found = (): readonly string[] => [...new Set(hunted.finds.map(({ where }) => where))].sort();

  test('in an argument, the log and the error', async () => {
    const leaking = {
      tool: 'cryptsetup',
      argv: ['isLuks', secret],
      access: 'read',
      parse: () => undefined,
    } as const;

    hunted.text('error', await rejectionOf(hostOf().run(leaking)));

    expect(found()).toEqual(['cmdline', 'error', 'log']);
  });

  test('in the environment', async () => {
    const leaking = {
      tool: 'cryptsetup',
      argv: ['--version'],
      access: 'read',
      parse: () => undefined,
    } as const;

    await hostOf({ env: { KEY: secret } }).run(leaking);

    expect(found()).toEqual(['environ']);
  });

  test('in the journal, in the arguments of a step and in the output of a program', async () => {
    await run((tx) => tx.step(crypt.format, { device, key: file('key'), label: secret, ...quick }));
    expect(found()).toEqual(['cmdline', 'file', 'log']);
  });

  test('in an error beneath an error', () => {
    hunted.text('error', new Error('outer', { cause: new AggregateError([new Error(`inner ${secret}`)]) }));
    expect(found()).toEqual(['error']);
  });
});
