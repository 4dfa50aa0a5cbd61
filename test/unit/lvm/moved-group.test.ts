import { expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { single, withBofh } from '../../../src/bofh.ts';
import { StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

/** vgsplit: the volume keeps its uuid and its tags, the new group has a uuid of its own. */
function split({ world }: SimulatedHost, name: RegExp): void {
  const [vg, ...others] = world.lvm;
  if (vg === undefined) throw new Error('this host has no volume group');
  const moved = vg.lvs.filter((lv) => name.test(lv.name));
  const own = {
    ...vg,
    name: 'vg9',
    uuid: world.ids.lvmUuid(),
    lvs: moved,
    pvs: vg.pvs.map((pv) => ({ ...pv, uuid: world.ids.lvmUuid() })),
  };
  vg.lvs = vg.lvs.filter((lv) => !moved.includes(lv));
  world.lvm = [vg, own, ...others];
  world.revision += 1;
}

/** Back again, as vgmerge does it. */
function merge({ world }: SimulatedHost): void {
  const moved = world.lvm.find(({ name }) => name === 'vg9')?.lvs ?? [];
  world.lvm = world.lvm.filter(({ name }) => name !== 'vg9');
  for (const vg of world.lvm.slice(0, 1)) vg.lvs = [...vg.lvs, ...moved];
  world.revision += 1;
}

test.each([
  [
    'that a step has made',
    'swapon',
    (tx: Tx) => tx.lvm.createLv({ vg: 'vg0', name: 'new', size: '64m' }),
    /^new$/,
  ],
  [
    'that was renamed',
    'swapon',
    (tx: Tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'own', to: 'other' }),
    /^other$/,
  ],
  [
    'that waits to be removed',
    'lvremove',
    (tx: Tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'own' }),
    /^bofh_gone/,
  ],
] as const)(
  'a volume %s, and that vgsplit has moved since, is not reported as gone',
  async (_, tool, act, name) => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'own', extents: 4 });
    host.fault({ tool: tool === 'lvremove' ? tool : 'mkswap', mode: 'crash here' });
    const work = withBofh(simulatedBofh({ host }), () =>
      single('own', async (tx) => {
        await act(tx);
        const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'last', size: '64m' });
        await tx.filesystem.create({ device: lv.path, type: 'swap' });
      }),
    );
    await expect(work).rejects.toThrow();
    host.clearFaults();
    const later = host.restart();
    split(later, name);
    const { engine } = simulatedBofh({ host: later });
    const [{ id } = { id: '' }] = await openJournals(engine);

    const error = await rejectionOf(recover(id, { engine, yes: true }));

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify(error)).toContain('in another volume group now: vg9/');
    const back = later.restart();
    merge(back);
    await recover(id, { engine: simulatedBofh({ host: back }).engine, yes: true });
    expect(await openJournals(simulatedBofh({ host: back }).engine)).toEqual([]);
  },
);
