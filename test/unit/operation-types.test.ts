import { expectTypeOf, it } from 'vitest';
import type { btrfs, lvm, OperationArgs, OperationValue, vm } from '../../src/index.ts';

it('the types of a method of tx include those of recipes', () => {
  expectTypeOf<OperationArgs<'lvm', 'createLv'>>().toEqualTypeOf<Parameters<typeof lvm.createLv>[0]>();
  expectTypeOf<OperationArgs<'vm', 'create'>>().toEqualTypeOf<Parameters<typeof vm.create>[0]>();
  expectTypeOf<OperationValue<'vm', 'create'>>().toEqualTypeOf<Awaited<ReturnType<typeof vm.create>>>();
  expectTypeOf<OperationArgs<'vm', 'createSnapshot'>>().toEqualTypeOf<string>();
  expectTypeOf<OperationArgs<'btrfs', 'rotateSnapshots'>>().toEqualTypeOf<
    Parameters<typeof btrfs.rotateSnapshots>[0]
  >();
});
