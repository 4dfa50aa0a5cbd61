import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createCommand,
  expectAsBefore,
  openStage,
  removeCommand,
  resetAfterFailure,
  run,
  type Stage,
} from '../support/matrix/stage.ts';

// Each test starts from the host that the one before has left.
let stage: Stage;
beforeAll(async () => {
  stage = await openStage(() => undefined);
});
afterAll(async () => stage.machine.close());

describe('a guest on a real Xen host', () => {
  it('is not created when its request is impossible, and all reasons are listed at once', async () => {
    const said = await run(
      stage,
      'bofh vm create web1 --source tar:/nowhere.tar --size 900g --bridge nobr0 --kernel /no/kernel --ramdisk /no/initrd',
      1,
      2,
    );

    for (const reason of ['/nowhere.tar', '900 GiB', 'nobr0', '/no/kernel']) expect(said).toContain(reason);
    await expectAsBefore(stage);
  });

  it('is created in a thin pool, stops, starts, and leaves nothing behind when removed', async () => {
    await run(stage, 'lvcreate -q -y --type thin-pool -L 32M -n pool vg0', 0);
    await resetAfterFailure(stage, async () => {
      await run(stage, `${createCommand} --thin pool`, 0);
      expect(await run(stage, 'lvs --noheadings -o lv_name,pool_lv,segtype vg0', 0)).toMatch(
        /web1-root +pool +thin\s/,
      );
      expect(await run(stage, 'bofh vm show web1', 0)).toMatch(/state +running, domain \d+\n/);
      expect(await run(stage, `${createCommand} --thin pool --ensure`, 0)).toContain(
        'unchanged, already as requested',
      );
      await run(stage, 'bofh vm stop web1 --time 4m --force', 0);
      expect(await run(stage, 'xl list', 0)).not.toMatch(/^web1 /m);
      expect(await run(stage, 'bofh vm stop web1', 0)).toContain('web1 is off already: nothing to do');
      await run(stage, 'bofh vm start web1', 0);
      expect(await run(stage, 'xl list', 0)).toMatch(/^web1 /m);
      await run(stage, removeCommand, 0);
      await run(stage, 'lvremove -q -y vg0/pool', 0);
      await expectAsBefore(stage);
    });
  });
});
