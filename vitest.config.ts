import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// `npm test` sets BOFH_RIG=sample: it has 30 minutes for everything, and runs two machines at a time. `npm run test:rig` runs all.
// The unit project shares one module graph: nothing in it uses globals or mocks, and
// starting each file alone costs ten times as long.
const sample = process.env['BOFH_RIG'] === 'sample';

/**
 * Which files take the longest vitest knows only from a run before this one; without that it begins with the files that are
 * large, and the matrix, whose files have three lines, would be left for the end, when one core has nothing else to do.
 */
const longest = [
  ...['vm-faults', 'vm'].map((name) => `rig/${name}.test.ts`),
  'container/examples.test.ts',
  // Waits for the next minute, in which others can run.
  'container/cron.test.ts',
  ...['lvm', 'btrfs'].map((driver) => `undo/matrix/${driver}.test.ts`),
  'replica/faults.test.ts',
  ...['filesystem', 'crypt', 'drbd', 'block'].map((driver) => `undo/matrix/${driver}.test.ts`),
  ...['atomic/bite.test.ts', 'simulator/vm-create.test.ts', 'simulator/vm-remove.test.ts'],
  ...['cli/types.test.ts', 'cli/run.test.ts'],
];

/**
 * With BOFH_REMEDIES=FILE the unit tests also type what errors say to type next, on copies of the simulated host, and write what
 * came of it to the file (`scripts/remedies.mjs`). So that no error is missed, the code tells of each that it makes.
 */
const remedies = process.env['BOFH_REMEDIES'] !== undefined;
const tellErrors = {
  name: 'tell-errors',
  transform: (code: string, id: string): string | undefined => {
    if (id.endsWith('/src/core/errors.ts'))
      return code.replace(/(this\.code = options\.code .*;)/, '$1 globalThis.bofhErrors?.made(this);');
    if (id.endsWith('/src/bofh.ts'))
      return `${code.replace('export async function atomic', 'async function atomicItself')}
export async function atomic(...args) {
  const { host } = currentBofh();
  try { return await atomicItself(...args); } catch (error) { globalThis.bofhErrors?.thrown(error, host); throw error; }
}`;
    return undefined;
  },
};

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // The stages of `npm test` transform the same files: only the first one does it.
    experimental: sample ? { fsModuleCache: true, fsModuleCachePath: '.cache/vitest' } : {},
    projects: [
      {
        // A limit against hanging, not for speed: these machines may be busy with other things.
        // On two cores vitest would take one of them.
        plugins: remedies ? [tellErrors] : [],
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          isolate: false,
          ...(remedies ? { setupFiles: ['test/support/remedies/setup.ts'] } : {}),
          // What a trial makes is gone with it: with Node's 16 MiB much of it is first moved to where what lives long is kept.
          execArgv: ['--max-semi-space-size=64'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        // Of these only the places are counted where they make an error: nothing can be typed on a copy of a real host.
        plugins: remedies ? [tellErrors] : [],
        test: {
          name: 'loop',
          include: ['test/loop/**/*.test.ts'],
          isolate: false,
          ...(remedies ? { setupFiles: ['test/support/remedies/setup.ts'] } : {}),
          // One after the other: a mount namespace that one makes has what another one mounted, and keeps it in use.
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'rig',
          include: sample ? ['test/rig/{vm,vm-faults}.test.ts'] : ['test/rig/**/*.test.ts'],
          // A machine keeps one core busy.
          maxWorkers: sample ? Math.min(2, availableParallelism()) : 1,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'container',
          include: ['test/container/**/*.test.ts'],
          globalSetup: ['test/support/containers/setup.ts'],
          // Two releases side by side in each file.
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'packages',
          include: ['test/packages/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
