import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { BofhError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { specimens } from '../../support/undo/specimens.ts';
import { neighbourhood } from '../../support/undo/stage.ts';

type Options = Readonly<Record<string, unknown>>;
type Call = (args: unknown) => Promise<unknown>;

/** Calls a method of `tx` with other arguments than a specimen does. */
function withOther(
  tx: Tx,
  [driver, name]: readonly [string, string],
  change: (args: unknown) => unknown,
): Tx {
  const methods = (tx as unknown as Readonly<Record<string, Readonly<Record<string, Call>>>>)[driver] ?? {};
  return { ...tx, [driver]: { ...methods, [name]: (args: unknown) => methods[name]?.(change(args)) } };
}

const wrongTypes: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['NaN', Number.NaN],
  ['a bigint', 10n],
  ['a function', () => undefined],
  ['an object with an unknown key', { nonsense: true }],
];
/** Options that take a path. */
const paths = /^(?:device|path|file|source|target|root|to|from|config|header)$/;

/** Where null is an answer: no label, no limit, no link, no disk, no interface. */
const removes = new Set([
  'filesystem.label label',
  'btrfs.limitSubvolume limit',
  'file.link to',
  'xen.setDisk device',
  'xen.setInterface bridge',
]);

/** Every operation by its driver and method, with the first specimen. */
const all = Object.entries(specimens).flatMap(([driver, of]) =>
  Object.entries(of).map(([name, [specimen]]) => [`${driver}.${name}`, driver, name, specimen] as const),
);

describe('an invalid option is a usage error that names it, and nothing changes', () => {
  it.each(all)('%s', async (_title, driver, name, { stage }) => {
    const staged = neighbourhood();
    const act = stage(staged);
    let given: Options = {};
    /** What the call answers with this change of its arguments, on a copy of the host. */
    const answer = async (
      change: (args: unknown) => unknown,
      { fails = false } = {},
    ): Promise<readonly [unknown, SimulatedHost]> => {
      const host = fork(staged);
      const work = withoutWaiting(() =>
        withBofh(simulatedBofh({ host }), () =>
          atomic('bad', async (tx) => {
            await act(withOther(tx, [driver, name], change));
            if (fails) throw new Error('later');
          }),
        ),
      );
      return [
        await work.then(
          () => 'accepted',
          // The steps before it, of the same specimen, are undone.
          (error: unknown) => (error instanceof RolledBackError && !fails ? error.cause : error),
        ),
        host,
      ];
    };
    await answer((args) => {
      if (typeof args === 'object' && args !== null) given = args as Options;
      return args;
    });

    const wrong: string[] = [];
    const tries = [
      ['nonsense', 'unknown', 1] as const,
      ...Object.keys(given).flatMap((key) =>
        wrongTypes
          .filter(([title]) => title !== 'null' || !removes.has(`${driver}.${name} ${key}`))
          .map(([title, value]) => [key, title, value] as const),
      ),
    ];
    for (const [key, title, value] of tries) {
      const [error, host] = await answer((args) => ({ ...(args as Options), [key]: value }));
      const { code, message } = error instanceof BofhError ? error : { code: 'none', message: String(error) };
      if (code !== 'invalid' || !message.includes(key)) wrong.push(`${key} ${title}: ${code}: ${message}`);
      if (host.snapshot() !== staged.snapshot()) wrong.push(`${key} ${title}: the host was changed`);
    }
    // Linux allows a newline in a path: such a path works, and is undone, or is refused.
    for (const key of Object.keys(given).filter((each) => paths.test(each))) {
      if (typeof given[key] !== 'string') continue;
      const [error, host] = await answer(
        (args) => ({ ...(args as Options), [key]: `${String(given[key])}\nx` }),
        {
          fails: true,
        },
      );
      if (!(error instanceof BofhError)) wrong.push(`${key} with a newline: ${String(error)}`);
      if (host.snapshot() !== staged.snapshot()) wrong.push(`${key} with a newline: the host was changed`);
    }
    expect(wrong).toEqual([]);
  });
});
