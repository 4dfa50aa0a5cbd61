import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { explain as onConsole } from '../../src/cli/errors/explain.ts';
import {
  atomic,
  type AtomicOptions,
  currentBofh,
  InterruptedError,
  UsageError,
  withBofh,
} from '../../src/index.ts';
import { simulatedBofh, simulatedHost } from '../../src/simulator/index.ts';
import { rejectionOf } from '../support/rejection.ts';

const volume = (name: string) => ({ vg: 'vg0', name, size: '8m' });

/** A sequence that creates a volume and then waits for its end. */
async function interrupted(
  options: AtomicOptions,
  then: () => void = () => undefined,
): Promise<InterruptedError> {
  const host = simulatedHost();
  const before = host.snapshot();
  const error = await rejectionOf(
    withBofh(simulatedBofh({ host }), () =>
      atomic(
        'slow',
        async (tx) => {
          await tx.lvm.createLv(volume('a'));
          then();
          await delay(20_000, undefined, { signal: tx.signal });
        },
        options,
      ),
    ),
  );
  expect(host.snapshot()).toBe(before);
  expect(error).toBeInstanceOf(InterruptedError);
  return error as InterruptedError;
}

describe('atomic()', () => {
  it('gives the reason of a cancellation by the program', async () => {
    const stop = new AbortController();
    const reason = { why: 'the request is gone' };

    const error = await interrupted({ signal: stop.signal }, () => stop.abort(reason));

    expect(error).toMatchObject({ code: 'interrupted', reason, message: '"slow" was interrupted' });
    expect(error.undone).toEqual([expect.stringContaining('lvm.createLv')]);
  });

  it.each([
    ['a text', 'the request is gone', ': the request is gone'],
    ['an error', new Error('the request is gone'), ': the request is gone'],
    ['none', undefined, ''],
  ])('says why a program cancelled it: %s', async (_, reason, said) => {
    const stop = new AbortController();

    const error = await interrupted({ signal: stop.signal }, () => stop.abort(reason));

    expect(error.message).toBe(`"slow" was interrupted${said}`);
  });

  it.each<readonly [string, () => AtomicOptions]>([
    ['timeout', () => ({ timeout: 200 })],
    ['AbortSignal.timeout()', () => ({ signal: AbortSignal.timeout(200) })],
  ])('has its own code at its time limit: %s', async (_, options) => {
    const error = await interrupted(options());

    expect(error).toMatchObject({ code: 'timeout', reason: { name: 'TimeoutError' } });
    expect(error.message).toContain('"slow" took too long');
    expect(error.undone).toHaveLength(1);
    expect(onConsole(error, { root: true }).exitCode).toBe(5);
  });

  it('with an aborted signal does not start, and does not mention process signals', async () => {
    let begun = false;
    const error = await rejectionOf(
      withBofh(simulatedBofh(), () => atomic('x', () => (begun = true), { signal: AbortSignal.abort('no') })),
    );

    expect(error).toMatchObject({ code: 'interrupted', reason: 'no', remedy: undefined });
    expect(begun).toBe(false);
  });

  it('leaves no timer and no listener when it ends in time', async () => {
    const stop = new AbortController();
    const bofh = simulatedBofh();
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const made = await withBofh(bofh, () =>
      atomic('x', (tx) => tx.lvm.createLv(volume('a')), { timeout: 60_000, signal: stop.signal }),
    );
    stop.abort();
    expect(made).toMatchObject({ name: 'a' });
    expect(timers()).toBe(before);
  });

  it('waits for another sequence for at most the given time', async () => {
    const bofh = simulatedBofh();
    const both = (wait?: number) =>
      withBofh(bofh, async () => {
        const first = atomic('first', async (tx) => {
          await tx.lvm.createLv(volume('a'));
          await delay(400);
          await tx.lvm.removeLv({ vg: 'vg0', name: 'a' });
        });
        await delay(100);
        const second = atomic(
          'second',
          (tx) => tx.lvm.createLv(volume('a')),
          wait === undefined ? {} : { wait },
        );
        return (await Promise.allSettled([first, second]))[1];
      });

    expect(await both()).toMatchObject({ status: 'rejected', reason: { code: 'busy' } });
    expect(await both(5000)).toMatchObject({ status: 'fulfilled' });
  });

  it('works on a named host, and keeps the journals here', async () => {
    const here = simulatedBofh();
    const there = simulatedHost();
    const on = { host: { ...there, name: 'web2' }, on: here.engine.on };
    const bofh = { ...here, engine: { ...here.engine, place: () => on } };

    const name = await withBofh({ ...bofh, planning: true }, () =>
      atomic('x', () => currentBofh().host.name, { host: 'web2' }),
    );
    expect(name).toBe('web2');
    const made = await withBofh({ ...bofh, planning: true }, () =>
      atomic('x', (tx) => tx.file.create({ path: '/root/x', content: '', mode: 0o600 }), { host: 'web2' }),
    );
    expect(made).toMatchObject({ path: '/root/x' });
    expect(await there.stat('/root/x')).toBeDefined();
    expect(await here.host.stat('/root/x')).toBeUndefined();
  });

  it.each<readonly [string, unknown]>([
    ['timeout', { timeout: 0 }],
    ['timeout', { timeout: 2 ** 31 }],
    ['timeout', { timeout: '5s' }],
    ['timeout', { timeout: Number.NaN }],
    ['wait', { wait: -1 }],
    ['wait', { wait: 5n }],
    ['signal', { signal: {} }],
    ['host', { host: '' }],
    ['reverse', { reverse: 1 }],
    ['waitMs', { waitMs: 5 }],
  ])('refuses a wrong %s before it starts: %o', async (key, options) => {
    let begun = false;
    const error = await rejectionOf(
      withBofh(simulatedBofh(), () => atomic('x', () => (begun = true), options as AtomicOptions)),
    );
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).code).toBe('invalid');
    expect((error as Error).message).toContain(key);
    expect(begun).toBe(false);
  });
});
