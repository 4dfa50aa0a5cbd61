import { afterAll, beforeAll, describe, it } from 'vitest';
import { foreignTrials } from '../support/matrix/foreign.ts';
import { bootedStage, cutAfterSuccess, powerCutAt } from '../support/matrix/power.ts';
import { dismissGuest, openStage, resetAfterFailure, type Stage } from '../support/matrix/stage.ts';
import { removeFaults, type Trial, tryFrom } from '../support/matrix/trials.ts';

// A trial of some sorts: undone by itself, after a power cut, and a stranger's object; `npm run test:matrix` runs all of them. Each starts from the host that the one before has left.
let stage: Stage;
// `npm test` has no time for all.
const isSample = process.env['BOFH_RIG'] === 'sample';
beforeAll(async () => {
  stage = await openStage(() => undefined);
});
afterAll(async () => stage.machine.close());

describe('a guest on a real Xen host, with faults', () => {
  // It ends with the snapshot of the start, so that no guest has to be taken away before the power fails.
  if (!isSample) it.each(pick(foreignTrials, /a logical volume/))('$group: $name', (trial) => tried(trial));

  it('is as a reboot leaves it after a power cut on the way', async () => {
    await bootedStage(stage);
    await tried(powerCutAt(7));
  });

  // The guest that the power did not take is what it starts from; a second try then takes it away, and leaves the host as before.
  if (!isSample) {
    it('loses no file of a reported success to a power cut', async () => {
      await resetAfterFailure(stage, () => cutAfterSuccess(stage, 'kept'));
    });

    it.each(pick(removeFaults, /lvrename .*-swap.*: acts, then fails/))('$group: $name', async (trial) => {
      await tried(trial);
      await resetAfterFailure(stage, () => dismissGuest(stage));
    });
  }
});

async function tried(trial: Trial): Promise<void> {
  await resetAfterFailure(stage, () => tryFrom(stage, trial));
}

function pick(trials: readonly Trial[], name: RegExp): readonly Trial[] {
  const found = trials.filter((trial) => name.test(trial.name)).slice(0, 1);
  if (found.length === 0) throw new Error(`no trial is named ${String(name)}`);
  return found;
}
