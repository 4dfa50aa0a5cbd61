import { describe, expect, it } from 'vitest';
import { hostWithSource } from '../simulator/support.ts';
import { countOf, create, does, fails, withGuest } from './support.ts';

describe('stale Xen domains/volumes keep a VM from restarting', () => {
  it('recover removes those of a killed start by UUID, and the guest starts', async () => {
    const host = await withGuest();
    host.admin.destroyDomain('web1');
    host.fault({ tool: 'xl', mode: 'acts then crash' });
    await fails(host, 'xen start web1');
    host.clearFaults();
    const again = host.restart();
    // As a killed xl create leaves it: without its name.
    const left = again.world.domains.find(({ name }) => name === 'web1');
    if (left !== undefined) Object.assign(left, { name: '', built: 'half-built' });
    expect(left).toBeDefined();

    await fails(again, 'xen start web1');
    await does(again, 'recover');
    await does(again, 'xen start web1');

    expect(again.world.domains.filter(({ uuid }) => uuid === left?.uuid).length).toBe(1);
  });

  it.each(['shutdown', 'crashed', 'paused', 'dying'] as const)(
    'a domain that is %s is named with its ID and the command that frees it; then the guest starts',
    async (state) => {
      const host = await withGuest();
      host.admin.setDomain('web1', state);
      const { domid } = host.world.domains.find(({ name }) => name === 'web1') ?? { domid: -1 };

      const { failed, details, next } = await fails(host, 'xen start web1');

      expect([failed, ...details].join('\n')).toContain(String(domid));
      expect(`${failed} ${String(next)}`).toMatch(/xl (?:destroy|unpause) \d|xl list no longer shows it/);
      host.admin.destroyDomain('web1');
      await does(host, 'xen start web1');
    },
  );

  it('recover after a killed removal: the guest is complete, or can be created again', async () => {
    const destroy = 'vm remove web1 --force-off';
    const changes = await countOf(withGuest, destroy);
    const ends = new Set<string>();

    for (let nth = 1; nth <= changes; nth += 1) {
      const host = await withGuest();
      host.fault({ nth, mode: 'acts then crash' });
      await fails(host, destroy);
      host.clearFaults();
      const again = host.restart();
      await does(again, 'recover');

      const isGone = again.snapshot() === hostWithSource().snapshot();
      ends.add(isGone ? 'gone' : 'there');
      // Back it runs again, as before; forward its name and its volumes are free.
      await does(again, isGone ? create : destroy);
    }

    expect([...ends].toSorted()).toEqual(['gone', 'there']);
  });

  it('a nameless domain of another process is named as the holder of the disk', async () => {
    const host = await withGuest();
    host.admin.destroyDomain('web1');
    const number = '/dev/vg0/web1-root';
    host.admin.startDomain({
      name: '',
      built: 'half-built',
      disks: [{ vdev: 'xvda', path: number, number: numberOf(host) }],
    });
    const { domid } = host.world.domains.at(-1) ?? { domid: -1 };

    const { failed, details } = await fails(host, 'xen start web1');

    expect([failed, ...details].join('\n')).toContain(String(domid));
    expect([failed, ...details].join('\n')).toContain('web1-root');
  });
});

/** `major:minor` of the guest's root. */
function numberOf(host: Awaited<ReturnType<typeof withGuest>>): string {
  const lv = host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root');
  return `${String(host.world.dmMajor)}:${String(host.world.active.get(lv?.uuid ?? ''))}`;
}
