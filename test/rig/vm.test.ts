import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foreignTrials } from '../support/matrix/foreign.ts';
import { bootedStage, cutAfterSuccess, powerCutAt } from '../support/matrix/power.ts';
import {
  createCommand,
  dismissGuest,
  expectAsBefore,
  openStage,
  removeCommand,
  reset,
  run,
  type Stage,
} from '../support/matrix/stage.ts';
import { removeFaults, type Trial, tryFrom } from '../support/matrix/trials.ts';

// A trial of some sorts: undone by itself, after a power cut, and a stranger's object; `npm run test:matrix` runs all of them. Each starts from the host that the one before has left.
let stage: Stage;
beforeAll(async () => {
  stage = await openStage(() => undefined);
});
afterAll(async () => stage.machine.close());

describe('a guest on a real Xen host', () => {
  it('is not made when its request cannot be met, and every reason is said at once', async () => {
    const said = await run(
      stage,
      'bofh vm create web1 --source tar:/nowhere.tar --size 900g --bridge nobr0 --kernel /no/kernel --ramdisk /no/initrd',
      1,
      2,
    );

    for (const reason of ['/nowhere.tar', '900 GiB', 'nobr0', '/no/kernel']) expect(said).toContain(reason);
    await expectAsBefore(stage);
  });

  it('is created in a thin pool, restarts, stops, starts, and leaves nothing when it is removed', async () => {
    await run(stage, 'lvcreate -q -y --type thin-pool -L 32M -n pool vg0', 0);
    await afterFailure(async () => {
      await run(stage, `${createCommand} --thin pool`, 0);
      expect(await run(stage, 'lvs --noheadings -o lv_name,pool_lv,segtype vg0', 0)).toMatch(
        /web1-root +pool +thin\s/,
      );
      expect(await run(stage, 'bofh vm show web1', 0)).toMatch(/state +running, domain \d+\n/);
      expect(await run(stage, `${createCommand} --thin pool --ensure`, 0)).toContain(
        'unchanged, it is as asked',
      );
      expect(await run(stage, `${createCommand} --thin pool --memory 200m --ensure`, 1)).toContain('memory');
      await run(stage, 'bofh vm restart web1', 0);
      expect(await run(stage, 'xl list', 0)).toMatch(/^web1 /m);
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

  // It ends with the snapshot of the start, so that no guest has to be taken away before the power fails.
  it.each(pick(foreignTrials, /a logical volume/))('$group: $name', (trial) => tried(trial));

  it('loses no file that was reported as made, and is as a reboot leaves it when the power fails on the way', async () => {
    await bootedStage(stage);
    await tried(powerCutAt(7));
    await afterFailure(() => cutAfterSuccess(stage, 'kept'));
  });

  // The guest that the power did not take is what it starts from; a second try then takes it away, and leaves the host as before.
  it.each(pick(removeFaults, /lvrename .*-swap.*: acts, then fails/))('$group: $name', async (trial) => {
    await tried(trial);
    await afterFailure(() => dismissGuest(stage));
  });
});

async function tried(trial: Trial): Promise<void> {
  await afterFailure(() => tryFrom(stage, trial));
}

/** A trial that fails must not fail those after it. */
async function afterFailure(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    await reset(stage);
    throw error;
  }
}

function pick(trials: readonly Trial[], name: RegExp): readonly Trial[] {
  const found = trials.filter((trial) => name.test(trial.name)).slice(0, 1);
  if (found.length === 0) throw new Error(`no trial is named ${String(name)}`);
  return found;
}
