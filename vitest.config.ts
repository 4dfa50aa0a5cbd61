import { defineConfig } from 'vitest/config';

// The unit project shares one module graph: nothing in it uses globals or mocks, and
// starting each file alone costs ten times as long.
export default defineConfig({
  test: {
    projects: [
      {
        // A limit against hanging, not for speed: these machines may be busy with other things.
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false, testTimeout: 60_000 },
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
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
