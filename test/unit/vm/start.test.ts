import { describe, expect, it } from 'vitest';
import * as xen from '../../../src/api/xen.ts';
import { withBofh } from '../../../src/bofh.ts';
import { states } from '../../../src/drbd/index.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
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
  ])('%s first makes this host the primary', async (_, start) => {
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

  it('is refused while the two are not connected, whatever role this host had', async () => {
    const { alpha, there, on } = await afterBoot();
    there.host().admin.drbdadm('primary', 'web1');
    there.cutReplication();
    const before = alpha.snapshot();

    const error = await on(() => xen.start('web1', { connectMs: 0 })).catch((each: unknown) => each);

    expect(error).toMatchObject({
      name: 'RefusedError',
      message: expect.stringMatching(/web1 is not started: its disk web1 is Connecting here/) as string,
      remedy: expect.stringContaining('alone: true') as string,
    });
    expect(await on(() => xen.startAll({ connectMs: 0 }))).toMatchObject([
      { name: 'web1', now: 'off', error: expect.stringContaining('alone: true') as string },
    ]);
    expect(alpha.snapshot()).toBe(before);
  });

  it('is refused too if the configuration names the resource instead of the device', async () => {
    const { alpha, there, on } = await afterBoot();
    const config = '/etc/xen/web1.cfg';
    const text = alpha.admin.readFile(config);
    alpha.admin.writeFile(config, text.replace('phy:/dev/drbd0', 'drbd:web1'));
    there.cutReplication();

    await expect(on(() => xen.start('web1', { connectMs: 0 }))).rejects.toThrow(
      /web1 is not started: its disk web1 is Connecting here/,
    );

    there.mend();
    await on(() => xen.start('web1'));
    expect(await states(alpha)).toMatchObject([{ role: 'Primary' }]);
  });

  it('waits until they are connected, as after a boot', async () => {
    const { alpha, there, on } = await afterBoot();
    there.cutReplication();

    const starting = on(() => xen.start('web1', { connectMs: 60_000 }));
    setTimeout(() => {
      there.mend();
    }, 150);
    await starting;

    expect(await domains(alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
  });

  it('does not wait for a peer that this host does not look for', async () => {
    const { alpha, on } = await afterBoot();
    alpha.admin.drbdadm('disconnect', 'web1');

    await expect(on(() => xen.start('web1', { connectMs: 3_600_000 }))).rejects.toThrow(
      /its disk web1 is StandAlone here/,
    );
  });

  it('is refused without any connection, as `drbdsetup del-peer` leaves it', async () => {
    const { alpha, here } = await afterBoot();
    const lonely: SimulatedHost = {
      ...alpha,
      run: (command) =>
        alpha.run({
          ...command,
          parse: (said) =>
            command.parse({
              ...said,
              stdout: said.stdout.replaceAll(/^exists (?:connection|peer-device|path) .*\n/gm, ''),
            }),
        }),
    };
    const bofh = { ...here, host: lonely, engine: { ...here.engine, host: lonely } };

    await expect(withBofh(bofh, () => xen.start('web1', { connectMs: 3_600_000 }))).rejects.toThrow(
      /its disk web1 is StandAlone here, and it is unknown whether the other host has newer data/,
    );
  });

  it('works without the peer on request', async () => {
    const { alpha, there, on } = await afterBoot();
    there.cut();

    await on(() => xen.start('web1', { alone: true }));

    expect(await states(alpha)).toMatchObject([{ role: 'Primary' }]);
    expect(await domains(alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
  });

  it('leaves that guest out, and starts the others', async () => {
    const { alpha, there, on } = await afterBoot();
    alpha.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 1 });
    alpha.admin.writeFile(
      '/etc/xen/zeta.cfg',
      "name = 'zeta'\ntype = 'pv'\nkernel = '/boot/guest'\nmemory = 64\ndisk = ['phy:/dev/vg0/other,xvda,w']\n",
    );
    there.cutReplication();

    expect(await on(() => xen.startAll({ connectMs: 0 }))).toMatchObject([
      { name: 'web1', now: 'off' },
      { name: 'zeta', now: 'running' },
    ]);
  });

  it('is refused while the other host is primary', async () => {
    const { there, on } = await afterBoot();
    there.host().admin.drbdadm('primary', 'web1');

    await expect(on(() => xen.start('web1'))).rejects.toThrow(/is primary of web1, and only one host can be/);
    expect(await on(() => xen.startAll())).toMatchObject([
      { name: 'web1', now: 'off', error: expect.stringContaining('is primary of web1') as string },
    ]);
  });
});
