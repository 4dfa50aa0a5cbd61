import { describe, expect, it } from 'vitest';
import {
  type AnyOperation,
  atomic,
  defineSite,
  operation,
  recover,
  RolledBackError,
  type Site,
  UsageError,
  withBofh,
} from '../../src/index.ts';
import { parseSite } from '../../src/site.ts';
import { siteSettings } from '../../src/site-settings.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { record, records, recordSpec } from '../support/undo/record.ts';

function newHost(): SimulatedHost {
  const host = simulatedHost();
  host.admin.mkdir(records);
  return host;
}

const site = (operations: readonly AnyOperation[]): Site =>
  parseSite(defineSite({ operations }), '/etc/bofh/site-specific.ts');

/** A host on which bofh was killed after the step, and what it was like before. */
async function killed() {
  const host = newHost();
  const before = host.snapshot();
  const gone = withBofh(simulatedBofh({ host }), () =>
    atomic('records', async (tx) => {
      await tx.step(record, { name: 'a' });
      host.kill();
      await tx.step(record, { name: 'b' });
    }),
  );
  void gone.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(host.snapshot()).not.toBe(before);
  return { host: host.restart(), before };
}

describe('an operation of your own', () => {
  it('is a step like any other: done, and undone with the others', async () => {
    const host = newHost();
    const bofh = simulatedBofh({ host });
    const before = host.snapshot();
    const failed = withBofh(bofh, () =>
      atomic('records', async (tx) => {
        const made: { readonly path: string } = await tx.step(record, { name: 'a' });
        expect(made.path).toBe(`${records}/a`);
        await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '8m' });
        throw new Error('later');
      }),
    );
    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);

    await withBofh(bofh, () => atomic('records', (tx) => tx.step(record, { name: 'a' })));
    expect(host.snapshot()).toContain(`${records}/a`);
  });

  it('is recovered when it is in the site file', async () => {
    const { host, before } = await killed();
    const done = await withBofh(simulatedBofh({ host, site: site([record]) }), () => recover());
    expect(done).toMatchObject([{ name: 'records', end: 'rolled-back' }]);
    expect(host.snapshot()).toBe(before);
  });

  it('is recovered when it is passed to recover()', async () => {
    const { host, before } = await killed();
    const done = await withBofh(simulatedBofh({ host }), () => recover({ operations: [record] }));
    expect(done).toMatchObject([{ end: 'rolled-back' }]);
    expect(host.snapshot()).toBe(before);
    expect(await withBofh(simulatedBofh({ host }), () => recover())).toEqual([]);
  });

  it('that recovery does not know is named with its version, and left untouched', async () => {
    const { host } = await killed();
    const after = host.snapshot();
    const other = operation({ ...recordSpec, version: 2 });
    await expect(
      withBofh(simulatedBofh({ host }), () => recover({ operations: [other] })),
    ).rejects.toMatchObject({
      message: expect.stringContaining('"acme.record" version 1') as string,
      remedy: expect.stringContaining('defineSite({ operations') as string,
    });
    expect(host.snapshot()).toBe(after);
  });

  it.each([
    ['lvm.record', 'has the name of a driver'],
    ['acme.record', 'is registered twice'],
  ])('of the kind %s is refused: it %s', (kind, why) => {
    expect(() => site([record, operation({ ...recordSpec, kind })])).toThrow(why);
  });

  it.each([
    ['after it acted', true],
    ['before it acted', false],
  ])('that changes something without its host is undone if it throws %s', async (_when, acted) => {
    const host = newHost();
    const before = host.snapshot();
    const path = `${records}/a`;
    const elsewhere = operation({
      ...recordSpec,
      run: ({ undo }) => {
        if (acted) host.admin.writeFile(path, undo.mark);
        return Promise.reject(new Error('program failed'));
      },
    });

    const failed = withBofh(simulatedBofh({ host }), () =>
      atomic('records', (tx) => tx.step(elsewhere, { name: 'a' })),
    );

    await expect(failed).rejects.toThrow('program failed');
    expect(host.snapshot()).toBe(before);
  });

  it('is shown among the settings of the site', () => {
    const shown = siteSettings(site([record])).find(({ name }) => name === 'operations');
    expect(shown?.value).toEqual(['acme.record 1']);
  });

  it('must be valid', async () => {
    const odd = { kind: 'acme.x' } as never;
    await expect(
      withBofh(simulatedBofh(), () => atomic('x', (tx) => tx.step(odd, {} as never))),
    ).rejects.toBeInstanceOf(UsageError);
    expect(() => site([odd])).toThrow(UsageError);
  });
});
