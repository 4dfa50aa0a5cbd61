import { describe, expect, it } from 'vitest';
import * as xen from '../../../src/api/xen.ts';
import { withBofh } from '../../../src/bofh.ts';
import { states } from '../../../src/drbd/index.ts';
import { RolledBackError } from '../../../src/errors.ts';
import { domains } from '../../../src/xen/index.ts';
import { guestOnTwo } from './move-support.ts';

async function afterBoot() {
  const hosts = await guestOnTwo({ starts: false });
  hosts.alpha.admin.drbdadm('secondary', 'web1');
  return { ...hosts, on: <T>(body: () => Promise<T>) => withBofh(hosts.here, body) };
}

describe('the start of a guest with a replicated disk', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['xen start', () => xen.start('web1')],
    ['xen start-all', () => xen.startAll()],
  ])('%s makes this host the primary first', async (_, start) => {
    const { alpha, on } = await afterBoot();

    await on(start);

    expect(await states(alpha)).toMatchObject([{ role: 'Primary' }]);
    expect(await domains(alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
  });

  it('is undone with its role', async () => {
    const { alpha, on } = await afterBoot();
    const before = alpha.snapshot();
    alpha.fault({ tool: 'xl', access: 'change', mode: 'acts then fails' });

    await expect(on(() => xen.start('web1'))).rejects.toBeInstanceOf(RolledBackError);

    expect(alpha.snapshot()).toBe(before);
  });

  it('is refused while the other host is primary', async () => {
    const { there, on } = await afterBoot();
    there.host().admin.drbdadm('primary', 'web1');

    await expect(on(() => xen.start('web1'))).rejects.toThrow(/is primary of web1, and there is to be one/);
    expect(await on(() => xen.startAll())).toMatchObject([
      { name: 'web1', now: 'off', error: expect.stringContaining('is primary of web1') as string },
    ]);
  });
});
