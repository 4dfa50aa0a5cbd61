import { describe, expect, it } from 'vitest';
import { BofhError } from '../../src/core/errors.ts';
import * as library from '../../src/index.ts';
import { fork } from '../../src/simulator/fork.ts';
import { simulatedBofh, simulatedHost, simulatedPair } from '../../src/simulator/index.ts';
import { loadOperations } from '../../src/operations.ts';
import { specimens } from '../support/undo/specimens.ts';
import { neighbourhood } from '../support/undo/stage.ts';

type Call = (...args: readonly unknown[]) => unknown;

const tries: readonly (readonly unknown[])[] = [
  [],
  [null],
  [Number.NaN],
  [42],
  [10n],
  ['x'],
  [{ nonsense: 1 }],
  ['x', { nonsense: 1 }],
  ['x', 'y', { nonsense: 1 }],
  ['x', null],
];

/** Functions without arguments. */
const plain = new Set([
  ...['block.loops', 'crypt.devices', 'crypt.scan', 'crypt.mappings', 'drbd.resources', 'drbd.procStatus'],
  ...['lvm.vgs', 'lvm.pvs', 'mount.mounts', 'network.interfaces', 'network.bridges', 'vm.bases', 'vm.list'],
  'xen.list',
  ...['xen.allDomus', 'currentBofh', 'settings', 'hostMap', 'provision.facts'],
]);

/** They take whatever was thrown, what bofh itself made, or what others check. */
const any = new Set(['exitCodeOf', 'explain', 'messageOf', 'eventStream', 'defineSite', 'parsePlan']);

/** What needs no argument, and where a number is one. Without `luksNaming` no device is looked at. */
const fine = new Set([
  ...['block.tree()', 'drbd.next()', 'lvm.lvs()', 'mount.fstab()', 'mount.crypttab()', 'recover()'],
  ...['xen.startAll()', 'xen.stopAll()', 'vm.snapshots()', 'connect()', 'localHost()', 'loadSite()'],
  ...['drbd.deviceSizeFor(42)', 'drbd.externalMetadata(42)', 'drbd.internalMetadata(42)'],
  ...['formatSize(42)', 'parseSize(42)'],
]);

const functions = Object.entries(library).flatMap(([name, of]): readonly (readonly [string, Call])[] => {
  const all = typeof of === 'object' ? Object.entries(of) : [['', of] as const];
  return all.flatMap(([method, each]) =>
    typeof each === 'function' && !String(each).startsWith('class ')
      ? [[method === '' ? name : `${name}.${method}`, each as Call] as const]
      : [],
  );
});
const staged = neighbourhood();

describe('an invalid argument is an error of bofh with a code, and nothing changes', () => {
  it.each(functions.filter(([name]) => !plain.has(name) && !any.has(name)))('%s', async (name, call) => {
    const wrong: string[] = [];
    for (const args of tries) {
      const title = `${name}(${args.map((arg) => (typeof arg === 'bigint' ? `${String(arg)}n` : JSON.stringify(arg))).join(', ')})`;
      const host = fork(staged);
      const before = host.snapshot();
      const said: unknown = await library
        .withBofh(simulatedBofh({ host }), async () => call(...args))
        .then(
          () => (fine.has(title) || title.startsWith('crypt.nameBySite("x"') ? undefined : 'accepted'),
          (error: unknown) => error,
        );
      const isTyped =
        said === undefined ||
        (said instanceof BofhError && /^(?:invalid|not-found|no-space)$/.test(said.code));
      if (!isTyped || String(said).includes('"undefined"') || / undefined(?! is)/.test(String(said)))
        wrong.push(`${title}: ${String(said)}`);
      if (said !== undefined && host.snapshot() !== before) wrong.push(`${title}: changed the host`);
    }
    expect(wrong).toEqual([]);
  });

  it('is tried with every function of the library', () => {
    expect(functions.length).toBeGreaterThan(180);
  });
});

it.each<[string, () => unknown, RegExp]>([
  ['connect({ stateDri })', () => library.connect({ stateDri: '/x' } as never), /^connect: .*"stateDri"/],
  ['connect({ waitMs: "1s" })', () => library.connect({ waitMs: '1s' } as never), /^connect: waitMs: /],
  [
    'connect({ onEvent: "x" })',
    () => library.connect({ onEvent: 'x' } as never),
    /^connect: onEvent: must be a function/,
  ],
  [
    'connect({ host: 5 })',
    () => library.connect({ host: 5 } as never),
    /^connect: host: must be a name, or a host/,
  ],
  ['connect(null)', () => library.connect(null as never), /^connect: /],
  ['lvm.lvs({ vgs })', () => library.lvm.lvs({ vgs: 'vg0' } as never), /^lvm\.lvs: .*"vgs"/],
  [
    'block.tree({ devce })',
    () => library.block.tree({ devce: '/dev/a' } as never),
    /^block\.tree: .*"devce"/,
  ],
  [
    'vm.wait(…, { for: "runing" })',
    () => library.vm.wait('a', { for: 'runing' } as never),
    /^vm\.wait: for: /,
  ],
  [
    'vm.wait(…, { timeout })',
    () => library.vm.wait('a', { for: 'running', timeout: 5 } as never),
    /"timeout"/,
  ],
  [
    'vm.wait(…, { timeoutMs: NaN })',
    () => library.vm.wait('a', { for: 'running', timeoutMs: Number.NaN }),
    /timeoutMs/,
  ],
  ['vm.stop(…, { timeot })', () => library.vm.stop('a', { timeot: 5 } as never), /^vm\.stop: .*"timeot"/],
  ['recover({ ids })', () => library.recover({ ids: 'a' } as never), /^recover: .*"ids"/],
  ['vm.wait without options', () => library.vm.wait('a', undefined as never), /^vm\.wait: /],
  ['connect({ signals: null })', () => library.connect({ signals: null } as never), /^connect: signals: /],
  ['atomic(…, null)', () => library.atomic('x', () => 1, null as never), /^atomic: /],
  ['eventText(null)', () => library.eventText(null as never), /^eventText: event: /],
  [
    'simulatedHost({ volumeGroup })',
    () => simulatedHost({ volumeGroup: 'vg0' } as never),
    /^simulatedHost: /,
  ],
  [
    'simulatedBofh({ hots })',
    () => simulatedBofh({ hots: 1 } as never),
    /^simulatedBofh: .*did you mean host/,
  ],
])('%s is invalid, and the error names the option', async (_title, call, why) => {
  const failed = library.withBofh(simulatedBofh(), async () => call());

  await expect(failed).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(why) as string,
  });
});

it.each<[string, (tx: library.Tx) => Promise<unknown>, RegExp]>([
  [
    'effect without functions',
    (tx) => tx.effect('dns', undefined as never, () => undefined),
    /dns: the function is missing/,
  ],
  [
    'effect without an inverse',
    (tx) => tx.effect('dns', () => 1, undefined as never),
    /dns: its inverse is missing/,
  ],
  ['call of nothing', (tx) => tx.call(undefined as never), /tx\.call: its first argument is missing/],
  ['reserve(null)', (tx) => tx.reserve(null as never), /tx\.reserve is missing/],
  ['reserve with no key', (tx) => tx.reserve({ changes: ['x'] }), /tx\.reserve: changes: "x" is not the key/],
  [
    'effect with no key',
    (tx) =>
      tx.effect(
        'dns',
        () => 1,
        () => undefined,
        { claims: { makes: ['x'] } },
      ),
    /dns: claims: makes: "x" is not the key/,
  ],
  ['reserve with an unknown key', (tx) => tx.reserve({ change: ['lv:vg0/a'] } as never), /"change"/],
  ['scope without a body', (tx) => tx.scope('part', undefined as never), /tx\.scope: the body is missing/],
])('tx: %s is invalid, and everything is undone', async (_title, act, why) => {
  const host = fork(staged);
  const before = host.snapshot();
  const failed = library.withBofh(simulatedBofh({ host }), () =>
    library.atomic('x', async (tx) => {
      await tx.lvm.createLv({ vg: 'vg0', name: 'bad', size: '8m' });
      await act(tx);
    }),
  );

  await expect(failed).rejects.toMatchObject({
    code: 'rolled-back',
    message: expect.stringMatching(why) as string,
    cause: expect.objectContaining({ code: 'invalid' }) as unknown,
  });
  expect(host.snapshot()).toBe(before);
});

it('an option that is undefined counts as missing', async () => {
  const host = fork(staged);
  await library.withBofh(simulatedBofh({ host }), () =>
    library.atomic(
      'x',
      async (tx) => {
        await tx.block.createImage({ file: '/srv/own.img', size: '1m', mode: undefined } as never);
      },
      { timeout: undefined, signal: undefined } as never,
    ),
  );
  expect(await host.stat('/srv/own.img')).toMatchObject({ size: 1024 ** 2 });
});

const odd: readonly unknown[] = [
  ...[-1, 0, 1.5, 1e300, 2 ** 60, Infinity, NaN, 10n],
  ...[[], [5], {}, { a: 1 }, '', 'x', 'a\nb', '4', null, true],
];

/** Each method that a specimen calls, with its arguments. */
async function callsOf(act: (tx: never) => Promise<unknown>) {
  const calls: (readonly [driver: string, method: string, args: object])[] = [];
  const methods = (driver: string): object =>
    new Proxy(
      {},
      {
        get: (_, method: string) => (args: unknown) => {
          if (typeof args === 'object' && args !== null) calls.push([driver, method, args]);
          return Promise.resolve({ path: '/dev/x', device: '/dev/x', uuid: 'x' });
        },
      },
    );
  const tx: object = new Proxy({}, { get: (_, name: string) => (name === 'temporary' ? tx : methods(name)) });
  // What a later call takes from the value of an earlier one is missing here.
  await act(tx as never).catch(() => undefined);
  return calls;
}

it('no message about an option has the words of the schema library', async () => {
  const operations = (await loadOperations()) as unknown as Readonly<
    Record<string, Readonly<Record<string, { readonly parseArgs: (args: unknown) => unknown } | undefined>>>
  >;
  const tried = new Set<string>();
  const wrong = new Set<string>();
  for (const of of Object.values(specimens).flatMap((driver) => Object.values(driver).flat()))
    for (const [driver, method, args] of await callsOf((tx) => of.stage(fork(staged))(tx)))
      for (const key of Object.keys(args))
        for (const value of odd) {
          tried.add(`${driver}.${method}`);
          try {
            operations[driver]?.[method]?.parseArgs({ ...args, [key]: value });
          } catch (error) {
            const { message } = error as Error;
            const isPlain =
              message.startsWith(`${driver}.${method}: `) && !/Too |Invalid|>=|<=|pattern/.test(message);
            if (!isPlain || !(error instanceof library.UsageError)) wrong.add(message);
          }
        }

  expect([...wrong]).toEqual([]);
  expect(tried.size).toBeGreaterThan(100);
});

it.each<[string, () => unknown, string, string | undefined]>([
  [
    'a size without a unit',
    () => library.lvm.createLv({ vg: 'vg0', name: 'a', size: '4' }),
    'lvm.createLv: size: "4" has no unit',
    'add one: b',
  ],
  [
    'in ensure',
    () => library.ensure.block.createImage({ file: '/srv/a', size: '4' }),
    'block.createImage: size: "4" has no unit',
    'add one: b',
  ],
  [
    'in a recipe',
    () => library.block.resize({ device: '/dev/vg0/data', to: { by: '4' } }),
    'block.resize: to.by: "4" has no unit',
    'add one: b',
  ],
  [
    'a number out of range',
    () => library.atomic('a', () => 1, { timeout: 5e12 }),
    'atomic: timeout: must be at most 2147483647',
    undefined,
  ],
  [
    'a number that is not whole',
    () => library.atomic('a', () => 1, { wait: 1.5 }),
    'atomic: wait: must be a whole number',
    undefined,
  ],
  [
    'a name with a newline',
    () => library.lvm.createLv({ vg: 'vg0', name: 'a\nb', size: '8m' }),
    `lvm.createLv: name: "a\\x0ab" cannot be the name of a logical volume: lvm allows letters, digits and + _ . - only`,
    undefined,
  ],
  [
    'a size that is missing',
    () => library.lvm.createLv({ vg: 'vg0', name: 'ab' }),
    'lvm.createLv: size is missing: pass size or extents',
    undefined,
  ],
  [
    'a source that is no path',
    () => library.vm.create({ name: 'x', source: 'tar:a', size: '1g', memory: '1g' }),
    'vm.create: source.path: must be an absolute path',
    undefined,
  ],
  [
    'a directory that is no path',
    () => library.vm.backup('x', 'relative'),
    'vm.backup: directory: "relative" is not an absolute path',
    undefined,
  ],
  [
    'no name of a clone',
    () => library.vm.clone('x', undefined as never),
    'vm.clone: to is missing',
    undefined,
  ],
  [
    'no device',
    () => library.filesystem.probe(null as never),
    'filesystem.probe: device is missing',
    undefined,
  ],
  [
    'no path',
    () => library.mount.isMountpoint(5 as never),
    'mount.isMountpoint: path: expected string, not number',
    undefined,
  ],
  ['no id', () => library.undo(null as never), 'undo: id is missing', undefined],
  [
    'a label that is too long',
    () =>
      library.filesystem.createImage({
        file: '/srv/a',
        size: '9m',
        type: 'ext4',
        label: 'seventeen letters',
      }),
    'filesystem.createImage: label: the label "seventeen letters" is too long: ext4 allows 16 bytes',
    undefined,
  ],
  [
    'a path with NUL',
    () => library.block.createImage({ file: '/srv/a\0b', size: '9m' }),
    'block.createImage: file: must not contain NUL',
    undefined,
  ],
  [
    'an argument with NUL',
    () => library.mount.isMountpoint('/srv/a\0b'),
    'mount.isMountpoint: path: must not contain NUL',
    undefined,
  ],
  [
    'another name of an option',
    () => library.atomic('a', () => 1, { timeoutMs: 5 } as never),
    'atomic: there is no option "timeoutMs": did you mean timeout?',
    undefined,
  ],
  [
    'another name of an option',
    () => library.atomic('a', () => 1, { waitMs: 5 } as never),
    'atomic: there is no option "waitMs": did you mean wait?',
    undefined,
  ],
  [
    'another name of an option',
    () => library.connect({ wait: 5 } as never),
    'connect: there is no option "wait": did you mean waitMs?',
    undefined,
  ],
  [
    'another name of an option',
    () => library.vm.wait('a', { for: 'running', timeout: 5 } as never),
    'vm.wait: there is no option "timeout": did you mean timeoutMs?',
    undefined,
  ],
])('%s: the message names the method and the option', async (_title, call, message, remedy) => {
  const failed = library.withBofh(simulatedBofh({ host: fork(staged) }), async () => call());

  await expect(failed).rejects.toMatchObject({
    ...{ code: 'invalid', message },
    remedy: remedy === undefined ? undefined : (expect.stringContaining(remedy) as string),
  });
});

it.each<[string, () => Promise<unknown>]>([
  ['a share of the extents', () => library.lvm.createThinPool({ vg: 'vg0', name: 'p', extents: '10%FREE' })],
  ['an offset of 0', () => library.block.attachLoop({ file: '/srv/none', offset: 0 })],
  ['growth', () => library.drbd.grow({ name: 'web1', on: ['a', 'b'], size: '+5g' })],
  ['all there is', () => library.drbd.grow({ name: 'web1', on: ['a', 'b'], size: 'max' })],
])('accepts a form of size that only some options have: %s', async (_title, call) => {
  const said: unknown = await library
    .withBofh(simulatedBofh({ host: fork(staged) }), call)
    .catch((error: unknown) => error);

  expect(String(said)).not.toMatch(/not a size|no unit/);
});

it('a message escapes the control characters of a path', async () => {
  const host = fork(staged);
  const failed = library.withBofh(simulatedBofh({ host }), () =>
    library.mount.bind({ source: '/srv', path: '/srv/a\nb', mode: 'ro' }),
  );

  await expect(failed).rejects.toMatchObject({ message: expect.stringContaining('/srv/a\\x0ab') as string });
  await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining('\n') as string });
});

it('a message joins the lines of an error of another program', () => {
  const said = new Error('first\n  second');

  expect(new library.RefusedError(`it failed: ${said.message}`, { cause: said }).message).toBe(
    'it failed: first; second',
  );
});

it.each([
  ['one host', simulatedBofh()],
  ['two hosts', simulatedPair().here],
])('tx.on in a simulation of %s names simulatedPair for an unknown host', async (_title, bofh) => {
  const failed = library.withBofh(bofh, () =>
    library.atomic('x', async (tx) => tx.on('nowhere').file.create({ path: '/a', content: '' })),
  );

  await expect(failed).rejects.toMatchObject({
    code: 'not-found',
    message: 'tx.on: host: the simulated host knows no host "nowhere"',
    remedy: expect.stringContaining('simulatedPair(') as string,
  });
});

it('a simulated host takes sizes as text', () => {
  const { world } = simulatedHost({
    volumeGroups: [{ name: 'vg0', size: '1g' }],
    disks: [{ name: 'sdb', size: '8m' }],
  });

  expect(world.disks.map(({ size }) => size).slice(1)).toEqual([1024 ** 3, 8 * 1024 ** 2]);
});
