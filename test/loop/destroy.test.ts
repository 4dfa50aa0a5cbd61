import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { discard, zero } from '../../src/blockdevice/operations.ts';
import { RolledBackError } from '../../src/errors.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';
beforeAll(() => {
  disk = storage();
  device = disk.ext4('image').device;
});
afterAll(() => {
  disk.clean();
});

const codes = [discard, zero] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};
const notZero = (): number => Number(sh('sh', '-c', `tr -d '\\0' < ${device} | wc -c`));

test.each([
  ['discard', discard],
  ['zero', zero],
] as const)('%s comes after the commit, and nothing is left', async (_, code) => {
  sh('mkfs.ext4', '-q', '-F', device);
  const overwrite = [(await probe(host, device))?.uuid ?? ''];
  const before = notZero();
  expect(before).toBeGreaterThan(0);

  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(code, { device, overwrite });
      throw new Error('a later step fails');
    }),
  );
  expect(error).toBeInstanceOf(RolledBackError);
  expect(notZero()).toBe(before);

  await run((tx) => tx.step(code, { device, overwrite }));
  expect(await probe(host, device)).toBeUndefined();
  // A loop device over a file of this filesystem reads what was discarded as zeros.
  expect(notZero()).toBe(0);
});
