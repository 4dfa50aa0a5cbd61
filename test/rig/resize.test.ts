import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clearStack,
  makeStack,
  resizeCommand,
  resized,
  type StackType,
  sizes,
  treeHash,
} from '../support/matrix/stacks.ts';
import { expectAsBefore, openStage, run, type Stage } from '../support/matrix/stage.ts';
import { available } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

// With a fault at each layer: `npm run test:matrix -- --only "a stack resized"`.
describe.skipIf(!can.ok && !required)(
  'bofh block resize, on a logical volume with LUKS, four fifths full',
  () => {
    let stage: Stage;
    beforeAll(async () => {
      if (!can.ok) throw new Error(can.reason);
      stage = await openStage(() => undefined, { hypervisor: 'none' });
    });
    afterAll(async () => {
      await stage.machine.close();
    });

    async function printed(command: string): Promise<string> {
      return (await stage.machine.run(command)).stdout.trim();
    }
    async function volumeMiB(): Promise<number> {
      return Number(await printed('blockdev --getsize64 /dev/vg0/web1-root')) / 1024 ** 2;
    }
    /** Makes the stack for the tests of its group, which follow one another on it, and gives what its files were at first. */
    function stackOf(type: StackType): () => string {
      let hash = '';
      beforeAll(async () => {
        await stage.machine.run(`${makeStack(type)} && udevadm settle`, { timeoutMs: 300_000 });
        hash = await printed(treeHash(type));
      });
      afterAll(async () => {
        await stage.machine.run(clearStack);
        await expectAsBefore(stage);
      });
      return () => hash;
    }

    async function upFirstDown(type: StackType, up: number, down: number, hash: string): Promise<void> {
      const first = await printed(sizes(type));
      for (const by of [up, 0, down]) {
        await run(stage, resizeCommand(resized(type, by)), 0);

        expect(await volumeMiB()).toBe(resized(type, by));
        expect(await printed(treeHash(type))).toBe(hash);
        if (by === 0) expect(await printed(sizes(type))).toBe(first);
        else expect(await printed(sizes(type))).not.toBe(first);
      }
    }

    describe('ext4', () => {
      const hash = stackOf('ext4');

      it('refuses less than the used space, before anything changes', async () => {
        const first = await printed(sizes('ext4'));

        expect(await run(stage, resizeCommand(resized('ext4', -64)), 1, 2)).toMatch(
          /cannot be shrunk .*: it needs \d+/,
        );
        expect(await printed(sizes('ext4'))).toBe(first);
        expect(await printed(treeHash('ext4'))).toBe(hash());
      });

      it('grows, shrinks to its first size and below; every file is unchanged', async () => {
        await upFirstDown('ext4', 32, -8, hash());
      });

      it('min shrinks as far as the files allow, and a later growth adds exactly its size', async () => {
        const to = (size: string): string => resizeCommand(0).replace(' 0m ', ` ${size} `);
        await run(stage, to('min'), 0);
        const least = await volumeMiB();
        expect(least).toBeLessThan(resized('ext4', 0));
        expect(await printed(treeHash('ext4'))).toBe(hash());

        await run(stage, to('+1g'), 0);
        expect(await volumeMiB()).toBe(least + 1024);
        expect(await printed(treeHash('ext4'))).toBe(hash());
      });
    });

    describe('btrfs', () => {
      const hash = stackOf('btrfs');

      it('grows, shrinks to its first size and below; every file is unchanged', async () => {
        await upFirstDown('btrfs', 64, -16, hash());
      });
    });

    describe('xfs', () => {
      const hash = stackOf('xfs');

      it('grows with every file unchanged, and refuses to shrink before anything changes', async () => {
        await run(stage, resizeCommand(resized('xfs', 32)), 0);
        const grown = await printed(sizes('xfs'));
        const refusal = await run(stage, resizeCommand(resized('xfs', 0)), 1, 2);

        expect(await volumeMiB()).toBe(resized('xfs', 32));
        expect(refusal).toContain('an xfs cannot be shrunk');
        expect(await printed(sizes('xfs'))).toBe(grown);
        expect(await printed(treeHash('xfs'))).toBe(hash());
      });
    });
  },
);
