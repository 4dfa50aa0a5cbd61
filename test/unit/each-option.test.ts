import { expect, it } from 'vitest';
import { atomic, BofhError, withBofh } from '../../src/index.ts';
import * as library from '../../src/index.ts';
import { fork } from '../../src/simulator/fork.ts';
import { simulatedBofh } from '../../src/simulator/index.ts';
import { type Callable, publishedApi } from '../support/api/published.ts';
import { neighbourhood } from '../support/undo/stage.ts';

type Call = (...args: readonly unknown[]) => unknown;

const wrong: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['NaN', Number.NaN],
  ['a bigint', 10n],
  ['a function', () => undefined],
  ['an object with an unknown key', { nonsense: true }],
];

/** They take what others check: `connect()`, or the loader of the site file. */
const any = new Set(['defineSite']);

/** Where null is an answer: no label, no limit, no link. */
const removes = new Set([
  'filesystem.label label',
  'btrfs.limitSubvolume limit',
  'file.link to',
  'xen.setDisk device',
  'xen.setInterface bridge',
]);

/** A function of the library, or a method of `tx` in a sequence. `temporary` and `ensure` have the same options. */
function callOf(name: string): Call | undefined {
  const member = (of: unknown): unknown =>
    name
      .replace(/^tx\./, '')
      .split('.')
      .reduce<unknown>((within, key) => (Object(within) as Record<string, unknown>)[key], of);
  if (name.startsWith('tx.'))
    return /^tx\.(?!temporary|ensure)\w+\.\w+$/.test(name)
      ? (...args) => atomic('each option', (tx) => (member(tx) as Call)(...args) as Promise<unknown>)
      : undefined;
  const found = member(library);
  return typeof found === 'function' && !String(found).startsWith('class ') ? (found as Call) : undefined;
}

/** Something that fits a parameter which is no option. */
function fitting({ name, type, options }: Callable['parameters'][number]): unknown {
  if (options.length > 0) return {};
  if (name === 'directory') return '/srv';
  if (type.includes('=>')) return () => undefined;
  return type.includes('number') || type === 'Bytes' ? 1024 ** 3 : 'web1';
}

const { callables } = publishedApi();
const all = callables.flatMap(({ name, from, parameters }) => {
  const call = from === 'bofh' && !any.has(name) ? callOf(name) : undefined;
  const own = parameters.filter(({ overload }) => !overload);
  return call === undefined || own.every(({ options }) => options.length === 0) ? [] : [{ name, call, own }];
});
const staged = neighbourhood();
const before = staged.snapshot();

it.each(all)('an invalid option of $name is a usage error that names it', async ({ name, call, own }) => {
  const found: string[] = [];
  const host = fork(staged);
  for (const [at, { options }] of own.entries())
    for (const key of new Set(options.map((each) => each.name))) {
      const types = options.flatMap((each) => (each.name === key ? [each.type] : [])).join();
      for (const [title, value] of wrong) {
        if (title === 'a function' && /=>|Reverse/.test(types)) continue;
        // The options of mount(8) have any name.
        if (title.startsWith('an object') && types.includes('Record<string, string | number | true>'))
          continue;
        if (title === 'null' && removes.has(`${name.replace(/^tx\./, '')} ${key}`)) continue;
        const args = own.map((each, n) => (n === at ? { [key]: value } : fitting(each)));
        const said: unknown = await withBofh(simulatedBofh({ host }), async () => call(...args)).then(
          () => 'accepted',
          (error: unknown) => error,
        );
        const isNamed = said instanceof BofhError && said.code === 'invalid' && said.message.includes(key);
        if (!isNamed) found.push(`${key}, ${title}: ${String(said)}`);
      }
    }

  expect(found).toEqual([]);
  expect(host.snapshot()).toBe(before);
});

it('is tested with every method that has options', () => {
  expect(all.length).toBeGreaterThan(250);
});
