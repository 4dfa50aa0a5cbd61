import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// `npm test` sets BOFH_RIG=sample: it has 25 minutes for everything, and these take twenty on two cores. `npm run test:rig` runs all.
// The unit project shares one module graph: nothing in it uses globals or mocks, and
// starting each file alone costs ten times as long.
const sample = process.env['BOFH_RIG'] === 'sample';

export default defineConfig({
  test: {
    projects: [
      {
        // A limit against hanging, not for speed: these machines may be busy with other things.
        // On two cores vitest would take one of them.
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          isolate: false,
          testTimeout: 60_000,
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        test: {
          name: 'loop',
          include: ['test/loop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'rig',
          include: ['test/rig/**/*.test.ts'],
          exclude: sample
            ? ['test/rig/{boot,busy,concurrency,contract,crypt,doctor,drbd,faults,plan,ssh}.test.ts']
            : [],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
