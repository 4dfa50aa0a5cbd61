import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { probe, runScript, undoScript } from '../../src/shell/commands.ts';
import type { Scenario } from './scenario.ts';

/** What sh says of scripts with a probe. */
export const shellScenarios: readonly Scenario[] = [
  {
    name: 'a probe sees what a script and its undo did',
    needs: [],
    run: async ({ host, change, directory }) => {
      const path = posix.join(directory, 'a b');
      const isDone = (): Promise<boolean> => host.run(probe('contract', ['test', '-e', path]));
      assert.equal(await isDone(), false);
      await change.run(runScript('contract', `mkdir '${path}'\ntest -d '${path}'`, 60));
      assert.equal(await isDone(), true);
      await change.run(undoScript('contract', ['rmdir', path]));
      assert.equal(await isDone(), false);
    },
  },
];
