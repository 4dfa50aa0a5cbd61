import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { type BofhError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { domains } from '../../../src/xen/index.ts';
import { states } from '../../../src/drbd/index.ts';
import { ownAnd } from '../../../src/replica/hosts.ts';
import * as vm from '../../../src/api/vm.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { guestOnTwo, moving } from './move-support.ts';

const config = '/etc/xen/web1.cfg';

describe('vm move', () => {
  it('moves a guest to the other host, with its disks and its configuration', async () => {
    const hosts = await guestOnTwo();
    const { alpha, there } = hosts;
    const text = alpha.admin.readFile(config);

    const moved = await moving(hosts);

    expect(moved).toMatchObject({
      ...{ name: 'web1', from: 'alpha', to: 'beta', config, resources: ['web1'] },
      domid: expect.any(Number) as number,
    });
    expect(await states(alpha)).toMatchObject([{ role: 'Secondary' }]);
    expect(await states(there.host())).toMatchObject([{ role: 'Primary' }]);
    expect(await domains(alpha, ({ name }) => name === 'web1')).toEqual([]);
    expect(await domains(there.host(), ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
    expect(there.host().admin.readFile(config)).toBe(text);
    expect(await alpha.stat(config)).toBeUndefined();
    expect(there.reserved()).toEqual([]);
  });

  it('moves a stopped one without a start', async () => {
    const hosts = await guestOnTwo({ starts: false });
    expect(await moving(hosts)).toMatchObject({ domid: undefined });
    expect(await domains(hosts.there.host(), ({ name }) => name === 'web1')).toEqual([]);
    expect(await states(hosts.there.host())).toMatchObject([{ role: 'Primary' }]);
  });

  it('moves its start at boot too', async () => {
    const hosts = await guestOnTwo();
    const { alpha, there } = hosts;
    for (const host of [alpha, there.host()]) host.admin.mkdir('/etc/xen/auto');
    const link = '/etc/xen/auto/web1.cfg';
    await withBofh(hosts.here, () => vm.set('web1', { autostart: true }));
    expect(await alpha.readLink(link)).toBe(config);

    await moving(hosts);

    expect(await alpha.stat(link)).toBeUndefined();
    expect(await there.host().readLink(link)).toBe(config);
  });

  it('keeps the configuration on both where both have it, in case one of them fails', async () => {
    const hosts = await guestOnTwo();
    const text = hosts.alpha.admin.readFile(config);
    hosts.there.host().admin.writeFile(config, text);

    await moving(hosts);

    for (const host of [hosts.alpha, hosts.there.host()]) expect(host.admin.readFile(config)).toBe(text);
    expect(await domains(hosts.there.host(), ({ name }) => name === 'web1')).toMatchObject([
      { state: 'running' },
    ]);
  });

  it('restores it when it cannot be started there', async () => {
    const hosts = await guestOnTwo();
    const before = hosts.there.host().snapshot();
    const text = hosts.alpha.admin.readFile(config);
    const { engine, site } = hosts.here;
    const failed = withBofh(hosts.here, () =>
      atomic('move, then fail', async (tx) => {
        const { moveVm, planMove } = await import('../../../src/vm/move.ts');
        const members = await ownAnd(engine, 'there');
        await moveVm(tx, engine, await planMove({ members, site, request: { name: 'web1', to: 'there' } }));
        throw new Error('now');
      }),
    );

    await expect(failed).rejects.toBeInstanceOf(RolledBackError);
    expect(hosts.there.host().snapshot()).toBe(before);
    expect(hosts.alpha.admin.readFile(config)).toBe(text);
    expect(await domains(hosts.alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
    expect(await states(hosts.alpha)).toMatchObject([{ role: 'Primary' }]);
  });
});

describe('a guest whose replication is cut during its move', () => {
  /** Between the plan and the recipe, as during the minutes of a shutdown. */
  async function cutAfterPlan(): Promise<Awaited<ReturnType<typeof guestOnTwo>> & { error: unknown }> {
    const hosts = await guestOnTwo();
    const { engine, site } = hosts.here;
    const { moveVm, planMove } = await import('../../../src/vm/move.ts');
    const members = await ownAnd(engine, 'there');
    const plan = await planMove({ members, site, request: { name: 'web1', to: 'there' } });
    hosts.there.cutReplication();
    const moved = withBofh(hosts.here, () => atomic('move', (tx) => moveVm(tx, engine, plan)));
    return { ...hosts, error: await moved.catch((each: unknown) => each) };
  }

  it('runs where its data is', async () => {
    const { alpha, there, error } = await cutAfterPlan();

    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(/web1 on alpha is not connected to beta/);
    expect(await domains(alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
    expect(await states(alpha)).toMatchObject([{ role: 'Primary' }]);
    expect(await states(there.host())).toMatchObject([{ role: 'Secondary' }]);
  });
});

it('keeps data that the guest wrote on the other host, also when the replication is cut and the move is undone', async () => {
  const { here, alpha, there } = await guestOnTwo();
  const { engine, site } = here;
  const { moveVm, planMove } = await import('../../../src/vm/move.ts');
  const members = await ownAnd(engine, 'there');
  const request = { name: 'web1', to: 'there' };
  const moved = withBofh(here, () =>
    atomic('move, then fail', async (tx) => {
      await moveVm(tx, engine, await planMove({ members, site, request }));
      there.cutReplication();
      throw new Error('now');
    }),
  );

  const error = await moved.catch((each: unknown) => each);
  expect(error).toBeInstanceOf(StuckError);
  expect(String(error)).toMatch(/web1 on beta may have data that its peer lacks/);
  expect(await states(there.host())).toMatchObject([{ role: 'Primary' }]);
  expect(await states(alpha)).toMatchObject([{ role: 'Secondary' }]);

  // Also if an administrator demotes it meanwhile.
  there.host().admin.drbdadm('secondary', 'web1');
  const [open] = await openJournals(engine);
  const again = () => recover(open?.id ?? '', { engine, yes: true });
  await expect(again()).rejects.toBeInstanceOf(StuckError);
  expect(await states(alpha)).toMatchObject([{ role: 'Secondary' }]);

  // Also if it was booted, and the resource is still down there.
  there.fault(1, 'booted there', 'all');
  const stuck = await again().catch((each: unknown) => each);
  expect(stuck).toBeInstanceOf(StuckError);
  expect(String(stuck)).toMatch(/web1 on beta may have data that its peer lacks \(it is down\)/);
  expect(await states(alpha)).toMatchObject([{ role: 'Secondary' }]);

  there.host().admin.drbdadm('up', 'web1');
  there.mend();
  await again();
  expect(await domains(alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
  expect(await states(alpha)).toMatchObject([{ role: 'Primary', connections: [{ state: 'Connected' }] }]);
});

it('vm move is refused before the guest is stopped when another sequence uses its disk on the other host', async () => {
  const hosts = await guestOnTwo();
  const [before] = await domains(hosts.alpha, ({ name }) => name === 'web1');
  await hosts.here.engine
    .place?.('there')
    ?.reservations?.reserve(
      { id: 'ff', name: 'other', token: 't' },
      { exclusive: ['drbd:web1'], shared: [] },
    );

  await expect(moving(hosts)).rejects.toMatchObject({
    name: 'JournalError',
    message: expect.stringContaining('DRBD resource web1 on there is in use') as string,
  });

  expect(await domains(hosts.alpha, ({ name }) => name === 'web1')).toMatchObject([{ id: before?.id }]);
  expect(hosts.there.reserved()).toEqual(['ff']);
});

it.each<[string, boolean, (hosts: Awaited<ReturnType<typeof guestOnTwo>>) => void]>([
  ['on this host', false, ({ alpha }) => alpha.admin.writeFile(config, '# mine\n')],
  ['on the other host, a standby', true, ({ there }) => there.host().admin.writeFile(config, '# mine\n')],
])('vm move is refused before the guest is stopped when its configuration was changed %s', async (...row) => {
  const [, isStandby, change] = row;
  const hosts = await guestOnTwo();
  const [before] = await domains(hosts.alpha, ({ name }) => name === 'web1');
  if (isStandby) hosts.there.host().admin.writeFile(config, hosts.alpha.admin.readFile(config));
  const { engine, site } = hosts.here;
  const { moveVm, planMove } = await import('../../../src/vm/move.ts');
  const members = await ownAnd(engine, 'there');
  const plan = await planMove({ members, site, request: { name: 'web1', to: 'there' } });
  change(hosts);

  const moved = withBofh(hosts.here, () => atomic('move', (tx) => moveVm(tx, engine, plan)));

  await expect(moved).rejects.toThrow('/etc/xen/web1.cfg on');
  expect(await domains(hosts.alpha, ({ name }) => name === 'web1')).toMatchObject([{ id: before?.id }]);
});

describe('vm move refuses, with both hosts unchanged', () => {
  type Hosts = Awaited<ReturnType<typeof guestOnTwo>>;
  it.each<[string, (hosts: Hosts) => void, string]>([
    [
      'a file of that name there',
      ({ there }) => there.host().admin.writeFile(config, "name = 'web1'\nmemory = 64\n"),
      `mv ${config} ${config}.old`,
    ],
    [
      'a domain of that name there',
      ({ there }) => there.host().admin.startDomain({ name: 'web1' }),
      'bofh vm show web1',
    ],
    [
      'its MAC address there',
      ({ alpha, there }) => {
        const vif = "vif = ['mac=00:16:3e:00:00:01']\n";
        alpha.admin.writeFile(config, alpha.admin.readFile(config) + vif);
        there.host().admin.writeFile('/etc/xen/web2.cfg', `name = 'web2'\nmemory = 64\n${vif}`);
      },
      '/etc/xen/web2.cfg',
    ],
    [
      'too little memory there',
      ({ alpha }) => alpha.admin.writeFile(config, alpha.admin.readFile(config).replace('= 64', '= 640000')),
      'on alpha (bofh vm set web1 memory=SIZE)',
    ],
  ])('%s, and does not advise another name, address or removal', async (_, change, words) => {
    const hosts = await guestOnTwo();
    change(hosts);
    const { remedy } = (await rejectionOf(moving(hosts))) as BofhError;
    expect(remedy).toContain(words);
    expect(remedy).not.toMatch(/choose another|vm remove|leave mac|\(memory\)/);
  });

  it.each<[string, (hosts: Hosts) => void, RegExp]>([
    [
      'a configuration that is not readable, and may be of a guest with the same disks',
      ({ alpha }) => alpha.admin.writeFile('/etc/xen/odd.cfg', "name = 'odd\n"),
      /cannot check whether another guest has the same disks: .*odd\.cfg/,
    ],
    [
      'a guest of that name on the other host',
      ({ there }) => there.host().admin.writeFile('/etc/xen/other.cfg', "name = 'web1'\nmemory = 64\n"),
      /on beta: the guest web1 is configured already/,
    ],
    [
      'a file in the place of its configuration',
      ({ there }) => there.host().admin.writeFile(config, '# mine\n'),
      /on beta: \/etc\/xen\/web1\.cfg/,
    ],
    [
      'a kernel that is not there',
      ({ there }) => there.host().admin.removeFile('/boot/guest'),
      /on beta: there is no \/boot\/guest, which \/etc\/xen\/web1\.cfg names as the kernel/,
    ],
    [
      'a disk that is not replicated',
      ({ alpha }) => {
        alpha.admin.lvcreate({ vg: 'vg0', name: 'more', extents: 1 });
        alpha.admin.writeFile(
          config,
          alpha.admin.readFile(config).replace("w'", "w', 'phy:/dev/vg0/more,xvdb,w'"),
        );
      },
      /the disk \/dev\/vg0\/more of web1 is not a DRBD device/,
    ],
    [
      'another guest that has one of its disks',
      ({ alpha }) =>
        alpha.admin.writeFile(
          '/etc/xen/web2.cfg',
          "name = 'web2'\nmemory = 64\ndisk = ['phy:/dev/drbd0,xvda,w']\n",
        ),
      /\/dev\/drbd0 of the resource web1 is also a disk of the guest web2/,
    ],
    [
      'another guest that has one of its disks by the name of the resource',
      ({ alpha }) =>
        alpha.admin.writeFile(
          '/etc/xen/web2.cfg',
          "name = 'web2'\nmemory = 64\ndisk = ['drbd:web1,xvda,w']\n",
        ),
      /drbd:web1 of the resource web1 is also a disk of the guest web2/,
    ],
    [
      'a disk that names its resource',
      ({ alpha }) =>
        alpha.admin.writeFile(
          config,
          alpha.admin.readFile(config).replace(/phy:\/dev\/drbd[^,]*/, 'drbd:web1'),
        ),
      /the disk xvda\d? of web1 is drbd:web1, so Xen makes the resource primary by itself/,
    ],
    [
      'data that are not up to date',
      ({ there }) => there.host().admin.drbdadm('detach', 'web1'),
      /volume 0 of web1 is not UpToDate on both hosts: Diskless/,
    ],
    [
      'a connection that is away',
      (hosts) => hosts.alpha.admin.drbdadm('disconnect', 'web1'),
      /web1 is not connected: StandAlone/,
    ],
  ])('%s', async (_, change, words) => {
    const hosts = await guestOnTwo();
    change(hosts);
    const before = [hosts.alpha.snapshot(), hosts.there.host().snapshot()];

    await expect(moving(hosts)).rejects.toThrow(words);

    expect([hosts.alpha.snapshot(), hosts.there.host().snapshot()]).toEqual(before);
    expect(hosts.there.crossings.filter((what) => what !== 'read')).toEqual(hosts.before);
  });

  it('a paused guest, with commands that let it run or end it', async () => {
    const hosts = await guestOnTwo();
    hosts.alpha.admin.setDomain('web1', 'paused');

    await expect(moving(hosts)).rejects.toMatchObject({
      message: expect.stringContaining('is paused') as string,
      remedy:
        'let it run again: bofh vm resume web1; or power it off: bofh vm stop web1 --force-off; then run the command again',
    });
  });

  it('the host of the guest itself, and an unknown guest', async () => {
    const hosts = await guestOnTwo();
    const on = <T>(body: () => Promise<T>) => withBofh(hosts.here, body);

    await expect(on(() => vm.move({ name: 'web1', to: 'alpha' }))).rejects.toThrow(/is this host itself/);
    await expect(on(() => vm.move({ name: 'web9', to: 'there' }))).rejects.toThrow(
      /no guest web9 is configured/,
    );
  });
});
