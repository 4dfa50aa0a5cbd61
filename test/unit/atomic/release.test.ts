import { expect, test } from 'vitest';
import type { Engine } from '../../../src/atomic/index.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { CommandError, ConnectionError, StuckError } from '../../../src/core/errors.ts';
import { simulatedHost, simulatedPair } from '../../../src/simulator/index.ts';

/** The same engine, on which no reservation can be taken away. */
function unreleasing(engine: Engine, why: Error): Engine {
  return {
    ...engine,
    place: (name) => {
      const place = engine.place?.(name);
      if (place?.reservations === undefined) return place;
      return { ...place, reservations: { ...place.reservations, release: () => Promise.reject(why) } };
    },
  };
}

test.each([
  [
    'another bofh there is at it too long',
    new CommandError({ tool: 'sh', argv: [], reason: 'busy', what: 'another bofh there was at it for 20 s' }),
  ],
  [
    'it cannot be reached',
    new ConnectionError('there cannot be reached', { host: 'there', connection: 'none' }),
  ],
])('a reservation that stays because %s does not hide that everything is committed', async (_, why) => {
  const { here, there } = simulatedPair();
  const engine = unreleasing(here.engine, why);

  const error: unknown = await withBofh({ ...here, engine }, () =>
    atomic('a file', async (tx) => {
      await tx.on('there').file.create({ path: '/etc/x', content: 'x', mode: 0o644 });
      return 7;
    }),
  ).catch((each: unknown) => each);

  expect(error).toBeInstanceOf(StuckError);
  expect(error).toMatchObject({ committed: true, value: 7, cause: why });
  expect(there.host().admin.readFile('/etc/x')).toBe('x');
  expect(there.reserved()).toHaveLength(1);
  const [journal] = await openJournals(engine);
  expect((error as StuckError).id).toBe(journal?.id);

  await expect(recover(journal?.id ?? '', { engine, yes: true })).rejects.toMatchObject({
    name: 'StuckError',
    ...{ committed: true, cause: why },
  });
  expect((await recover(journal?.id ?? '', { engine: here.engine, yes: true })).end).toBe('committed');
  expect(there.reserved()).toEqual([]);
});

test('an object that a killed sequence of this bofh has only reserved there is freed by recovery here', async () => {
  const host = simulatedHost();
  const { here, there, again } = simulatedPair({ here: host });
  host.fault({ step: 'file.create', mode: 'acts then crash' });
  const killed = withBofh({ ...here, signals: {} }, () =>
    atomic('nightly', async (tx) => {
      await tx.on('there').reserve({ changes: ['file:/etc/y'] });
      await tx.file.create({ path: '/etc/x', content: 'x', mode: 0o644 });
    }),
  );
  await expect(killed).rejects.toThrow();
  const [id = ''] = there.reserved();
  const later = { ...again(host.restart()), signals: {} };
  const next = (): Promise<unknown> =>
    withBofh(later, () =>
      atomic('next', (tx) => tx.on('there').file.create({ path: '/etc/y', content: 'y', mode: 0o644 })),
    );

  await expect(next()).rejects.toMatchObject({
    code: 'unfinished',
    message: `/etc/y on there belongs to the unfinished sequence ${id} "nightly"`,
    remedy: `bofh recover; to look first: bofh journal show ${id}`,
  });
  await recover(id, { engine: later.engine, yes: true });
  await next();
  expect(there.host().admin.readFile('/etc/y')).toBe('y');
});
