import { beforeEach, describe, expect, it, test } from 'vitest';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { jsonOn } from './support/run-verb.ts';

const first = '00:16:3e:00:00:01';
const more = '00:16:3e:00:00:02';
const text = `# the shop\nname = "web1"\nmemory = 128\nkernel = "/vmlinuz"\ndisk = ["phy:/dev/vg0/web1,xvda,w"]\nvif = ["mac=${first},bridge=xenbr0"] # lan\n`;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 2 });
  host.admin.writeFile('/vmlinuz', 'x');
  host.admin.writeFile('/etc/xen/web1.cfg', text);
});

const typed = async (line: string, settings = {}) =>
  (await jsonOn(simulatedBofh({ host }), line, { yes: true, ...settings })).data;
const config = (): string => host.admin.readFile('/etc/xen/web1.cfg');
const given = (): readonly string[] => host.world.domains.flatMap(({ nics }) => nics.map(({ mac }) => mac));
const attach = `vm interface attach web1 --bridge xenbr0 --mac ${more}`;

describe('bofh vm interface', () => {
  it('is on a VLAN of a bridge of Open vSwitch, if xl uses its script', async () => {
    host = simulatedHost({ bridges: ['ovsbr0'] });
    for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
    const create =
      'vm create web2 --source blank --kernel /boot/vmlinuz --ramdisk /boot/initrd --size 64m --vg vg0 --bridge ovsbr0.42';
    expect(String(await rejectionOf(typed(create)))).toContain('there is no bridge ovsbr0.42');

    host.admin.writeFile('/etc/xen/xl.conf', 'vif.default.script="vif-openvswitch"\n');
    await typed(create);
    await typed('vm interface attach web2 --bridge ovsbr0.7:8');

    expect(host.admin.readFile('/etc/xen/web2.cfg')).toMatch(/bridge=ovsbr0\.42".*bridge=ovsbr0\.7:8"/);
    for (const bridge of ['ovsbr1.42', 'ovsbr0.42,script=/tmp/x'])
      expect(await rejectionOf(typed(`vm interface attach web2 --bridge ${bridge}`))).toMatchObject({
        message: expect.stringMatching(/there is no bridge ovsbr1|cannot be the name of a bridge/) as string,
      });
  });

  it('lists those of the configuration and those of the running guest', async () => {
    const list = () => typed('vm interface list web1');
    const row = (mac: string | null, state: string, bridge: string | null = 'xenbr0') => ({
      mac,
      bridge,
      state,
    });
    expect(await list()).toEqual([row(first, 'off')]);

    host.admin.writeFile('/etc/xen/web1.cfg', text.replace('xenbr0"]', 'xenbr0", "bridge=xenbr0"]'));
    await typed('vm start web1');
    // A start of the simulated host makes no address itself.
    const random = '00:16:3e:5a:5a:5a';
    for (const domain of host.world.domains)
      Object.assign(domain, { nics: [...domain.nics, { mac: random, bridge: 'xenbr0' }] });
    expect(await list()).toEqual([row(first, 'attached'), row(random, 'attached')]);
    host.admin.writeFile('/etc/xen/web1.cfg', text.replace('["mac', '["bridge=xenbr0", "mac'));
    expect(await list()).toEqual([row(random, 'attached'), row(first, 'attached')]);

    host.admin.writeFile('/etc/xen/web1.cfg', text.replace(first, more));
    expect(await list()).toEqual([
      row(more, 'next start'),
      row(first, 'until stop'),
      row(random, 'until stop'),
    ]);
  });

  it('changes one item of the configuration of a guest that is off, and back', async () => {
    expect(await typed(attach)).toMatchObject({
      mac: more,
      bridge: 'xenbr0',
      domid: null,
      effective: 'next start',
    });
    expect(config()).toBe(text.replace('xenbr0"]', `xenbr0", "mac=${more},bridge=xenbr0"]`));

    await typed('vm start web1');
    expect(given()).toEqual([first, more]);
    await typed('vm stop web1 --force');

    await typed(`vm interface detach web1 ${more.toUpperCase()}`);
    expect(config()).toBe(text);
  });

  it('changes a running guest at once, and a paused one at its next start', async () => {
    await typed('vm start web1');

    expect(await typed(attach)).toMatchObject({ effective: 'now' });
    expect(given()).toEqual([first, more]);
    expect(await typed(`vm interface detach web1 ${first}`)).toMatchObject({ effective: 'now' });
    expect(given()).toEqual([more]);

    await typed('vm pause web1');
    expect(await typed(`vm interface detach web1 ${more}`)).toMatchObject({ effective: 'next start' });
    expect(given()).toEqual([more]);
  });

  it('chooses a MAC address of the range of Xen', async () => {
    expect(await typed('vm interface attach web1 --bridge xenbr0')).toMatchObject({
      mac: expect.stringMatching(/^00:16:3e:/) as string,
    });
  });

  test.each<readonly [string, () => unknown, string, RegExp]>([
    ['no bridge', () => undefined, 'vm interface attach web1', /no bridge is named/],
    [
      'an unknown bridge',
      () => undefined,
      'vm interface attach web1 --bridge nobr0',
      /there is no bridge nobr0/,
    ],
    ['a multicast address', () => undefined, attach.replace('00:16', '01:16'), /is a multicast address/],
    [
      'an address that a guest has',
      () => host.admin.writeFile('/etc/xen/web2.cfg', text.replace('web1', 'web2').replace(first, more)),
      attach,
      /belongs to web2/,
    ],
    [
      'an address that only a running guest has',
      async () => {
        await typed('vm start web1');
        for (const domain of host.world.domains) domain.nics = [{ mac: more, bridge: 'xenbr0' }];
      },
      attach,
      /domain 1 has the MAC address .* already/,
    ],
    [
      'an unknown address',
      () => undefined,
      `vm interface detach web1 ${more}`,
      /has no interface with the MAC/,
    ],
  ])('refuses %s, and changes nothing', async (_, prepare, line, says) => {
    await prepare();
    const before = host.snapshot();

    const error = (await rejectionOf(typed(line))) as BofhError;

    expect(error.message).toMatch(says);
    expect(host.snapshot()).toBe(before);
  });
});
