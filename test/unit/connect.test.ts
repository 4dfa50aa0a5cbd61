import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  atomic,
  type Bofh,
  connect,
  currentBofh,
  drbd,
  lvm,
  recover,
  vm,
  withBofh,
  xen,
} from '../../src/index.ts';
import { BofhError, JournalError, UsageError } from '../../src/core/errors.ts';
import { loadScript } from '../../src/script/load.ts';
import { simulatedBofh, simulatedHost } from '../../src/simulator/index.ts';
import { rejectionOf } from '../support/rejection.ts';

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-connect-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

describe('a state directory', () => {
  it('that is relative is refused', () => {
    expect(() => connect({ stateDir: 'state' })).toThrow(UsageError);
  });

  it('below a file is an error of bofh that names it', async () => {
    const file = join(work, 'file');
    writeFileSync(file, '');
    const bofh: Bofh = { ...connect({ stateDir: join(file, 'state') }), signals: {} };

    const error = await rejectionOf(
      withBofh(bofh, () =>
        atomic('x', (tx) => tx.file.create({ path: join(work, 'made'), content: '', mode: 0o600 })),
      ),
    );

    expect(error).toBeInstanceOf(JournalError);
    expect((error as Error).message).toContain(file);
  });

  it('loses the files of unheld locks by recover(), as by bofh recover', async () => {
    const bofh: Bofh = { ...connect({ stateDir: join(work, 'state') }), signals: {} };
    const locks = bofh.engine.locks.open();
    await locks.take({ needs: ['file:/x'] });
    locks.release();
    const file = join(work, 'state/journal/locks/file%3A%2Fx');
    expect(existsSync(file)).toBe(true);

    await withBofh(bofh, () => recover());

    expect(existsSync(file)).toBe(false);
  });
});

it('recover() says of a sequence that it is still running', async () => {
  const bofh = simulatedBofh({ host: simulatedHost() });
  let end = (): void => undefined;
  const ends = new Promise<void>((over) => (end = over));
  let running: Promise<void> | undefined;
  await new Promise<void>((begun) => {
    running = withBofh(bofh, () =>
      atomic('long', async (tx) => {
        await tx.file.create({ path: '/etc/x', content: '' });
        begun();
        await ends;
      }),
    );
  });
  const [file = ''] = bofh.engine.store.names('.').filter((name) => name.endsWith('.journal'));
  const id = file.replace('.journal', '');

  await expect(withBofh(bofh, () => recover({ id }))).rejects.toMatchObject({
    code: 'busy',
    message: `the sequence ${id} is still running`,
  });
  expect(await withBofh(bofh, () => recover())).toEqual([]);
  end();
  await running;
});

it.each<readonly [string, () => Promise<unknown>, string]>([
  ['vm.create', () => vm.create({ name: 'web1' } as never), 'call it on tx'],
  ['drbd.remove', () => drbd.remove({ name: 'home' }), 'call it on tx'],
  // Also if it has that size already, and nothing would change.
  ['lvm.resizePv', async () => lvm.resizePv({ device: (await lvm.pvs())[0]?.path ?? '' }), 'call it on tx'],
  ['xen.startAll', () => xen.startAll(), 'call it before or after atomic()'],
])('%s called on its module inside atomic() is refused', async (name, call, remedy) => {
  const error = await rejectionOf(withBofh(simulatedBofh(), () => atomic('x', call)));

  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toContain(`${name} was called`);
  expect(`${(error as Error).message} ${(error as BofhError).remedy ?? ''}`).toContain(remedy);
});

it('a script with another extension gets a valid name', async () => {
  const error = await rejectionOf(loadScript('/srv/x.cjs', { cache: 'unused', warn: () => undefined }));

  expect((error as BofhError).remedy).toBe('rename it, for example to /srv/x.ts');
});

it('a directory is not renamed to a script', async () => {
  const error = await rejectionOf(loadScript('/srv', { cache: 'unused', warn: () => undefined }));

  expect((error as BofhError).message).toBe('/srv is not a regular file');
  expect((error as BofhError).remedy).toBe('name an existing, readable file');
});

describe('connect()', () => {
  const simulated = {
    ...simulatedBofh({ site: { ...currentBofh().site, volumeGroup: 'vg7' } }),
    planning: true,
  };

  it('within a context keeps its host, site and dry run, and overrides key by key', () => {
    const stop = AbortSignal.abort();
    const inner = withBofh(simulated, () => connect({ signals: { stop }, waitMs: 5 }));

    expect(inner).toMatchObject({ planning: true, site: { volumeGroup: 'vg7' }, signals: { stop } });
    expect(inner.host).toBe(simulated.host);
    expect(inner.engine.store).toBe(simulated.engine.store);
    expect(inner.engine.waitMs).toBe(5);
  });

  it('keeps the journals in BOFH_STATE_DIR, as the command does', () => {
    process.env['BOFH_STATE_DIR'] = '/srv/bofh';
    try {
      expect(connect().stateDir).toBe('/srv/bofh');
      expect(connect({ stateDir: '/srv/other' }).stateDir).toBe('/srv/other');
    } finally {
      delete process.env['BOFH_STATE_DIR'];
    }
  });
});

// The last test of the file, because it loads the modules again.
it('another copy of the library does nothing in the context of the first one', async () => {
  vi.resetModules();
  const other = await import('../../src/bofh.ts');
  const began: string[] = [];

  const refused = withBofh(simulatedBofh(), () => other.atomic('x', () => began.push('x')));

  await expect(refused).rejects.toMatchObject({
    code: 'invalid',
    message: 'another copy of bofh is loaded, and this code runs in its context',
  });
  expect(began).toEqual([]);
  expect(other.currentBofh().host).not.toBe(currentBofh().host);
});
