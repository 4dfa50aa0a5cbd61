import { describe, expect, it } from 'vitest';
import { atomic, operation, withBofh } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { record, records, recordSpec } from '../../support/undo/record.ts';

/** A host, and an operation that counts how often it looks at the host before it acts. */
function counting() {
  const host = simulatedHost();
  host.admin.mkdir(records);
  let looks = 0;
  const code = operation({
    ...recordSpec,
    kind: 'acme.counted',
    prepare: async (input) => {
      looks += 1;
      return recordSpec.prepare(input);
    },
  });
  const on = (name: string, body: Parameters<typeof atomic>[1]) =>
    withBofh(simulatedBofh({ host }), () => atomic(name, body));
  return { code, on, looks: () => looks };
}

const changes = [`file:${records}/a`, `file:${records}/b`];

describe('a step looks at its objects', () => {
  it('twice, before and after it has locked them', async () => {
    const { code, on, looks } = counting();
    await on('records', (tx) => tx.step(code, { name: 'a' }));
    expect(looks()).toBe(2);
  });

  it('once if its sequence had locked all of them', async () => {
    const { code, on, looks } = counting();
    await on('records', async (tx) => {
      await tx.reserve({ changes });
      await tx.step(record, { name: 'b' });
      await tx.step(code, { name: 'a' });
    });
    expect(looks()).toBe(1);
  });

  it('twice if it can do something else the second time, because it reads `chosen`', async () => {
    const { on } = counting();
    const seen: unknown[] = [];
    const code = operation({
      ...recordSpec,
      kind: 'acme.choosing',
      prepare: async (input) => {
        seen.push(input.chosen);
        return recordSpec.prepare(input);
      },
    });
    await on('records', async (tx) => {
      await tx.reserve({ changes });
      await tx.step(code, { name: 'a' });
    });
    expect(seen).toEqual([undefined, expect.objectContaining({})]);
  });

  it.each([
    ['other objects', { changes: changes.slice(1) }],
    ['its objects, but shared', { needs: changes }],
  ])('twice if its sequence had locked %s', async (_, reserved) => {
    const { code, on, looks } = counting();
    await on('records', async (tx) => {
      await tx.reserve(reserved);
      await tx.step(code, { name: 'a' });
    });
    expect(looks()).toBe(2);
  });

  it.each<[string, 'before' | 'after']>([
    ['started before it', 'before'],
    ['starts after it', 'after'],
  ])('twice beside a parallel step that %s', async (_, when) => {
    const { code, on, looks } = counting();
    await on('records', async (tx) => {
      await tx.reserve({ changes });
      const one = () => tx.step(code, { name: 'a' });
      const other = () => tx.step(record, { name: 'b' });
      await Promise.all(when === 'before' ? [other(), one()] : [one(), other()]);
    });
    expect(looks()).toBe(2);
  });

  it('twice beside a pair of functions', async () => {
    const { code, on, looks } = counting();
    await on('records', async (tx) => {
      await tx.reserve({ changes });
      await Promise.all([
        tx.effect(
          'a pair',
          () => Promise.resolve(),
          () => Promise.resolve(),
        ),
        tx.step(code, { name: 'a' }),
      ]);
    });
    expect(looks()).toBe(2);
  });

  it('twice to start a guest, because only the second look checks whether it can start', async () => {
    const host = simulatedHost();
    const uuid = '6a1a2b3c-0d0e-4f00-8a00-000000000001';
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      `name = 'web1'\nuuid = '${uuid}'\ntype = 'pv'\nkernel = '/boot/missing'\nmemory = 64\ndisk = []\n`,
    );
    const started = withBofh(simulatedBofh({ host }), () =>
      atomic('start', async (tx) => {
        await tx.reserve({
          makes: ['dom:web1', `dom-uuid:${uuid}`],
          needs: ['file:/etc/xen/web1.cfg'],
        });
        await tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' });
      }),
    );
    await expect(started).rejects.toThrow('web1 is not started: there is no /boot/missing');
  });
});
