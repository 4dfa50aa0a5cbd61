import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { discard, zero } from '../../src/erase/operations.ts';
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

test.each([
  ['discard', discard],
  ['zero', zero],
] as const)('%s of a wiped device puts its first bytes back, or leaves nothing', async (_, code) => {
  sh('mkfs.ext4', '-q', '-F', device);
  sh('wipefs', '--all', '--quiet', device);
  const hash = (): string => sh('sha256sum', device);
  const before = hash();
  const asked = { device, overwrite: ['blank'] };
  const marked = (): string => sh('sh', '-c', `head -c 5 ${device} | tr '\\0' .`);

  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(code, asked);
      expect(marked()).toContain('bofh.');
      expect(await probe(host, device)).toBeUndefined();
      throw new Error('a later step fails');
    }),
  );
  expect(error).toBeInstanceOf(RolledBackError);
  expect(hash()).toBe(before);

  await run((tx) => tx.step(code, asked));
  expect(notZero()).toBe(0);
});

test('what somebody makes on a blank device between step and commit is left alone', async () => {
  const asked = { device, overwrite: ['blank'] };
  let made = '';
  await run(async (tx) => {
    await tx.step(zero, asked);
    sh('mkfs.ext4', '-q', '-F', device);
    made = (await probe(host, device))?.uuid ?? '';
  });
  expect(made).not.toBe('');
  expect(await probe(host, device)).toMatchObject({ type: 'ext4', uuid: made });
  sh('e2fsck', '-f', '-n', device);
});
