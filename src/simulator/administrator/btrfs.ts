import { btrfsTools } from '../tools/btrfs/btrfs.ts';
import { settle, type World } from '../world/world.ts';
import { type WrapAct, must } from './act.ts';

/** Acts of an administrator on btrfs. */
export interface BtrfsAdmin {
  /** Runs a btrfs command: `btrfs('subvolume', 'create', '/srv/pool/a')`. */
  btrfs(...argv: readonly string[]): void;
}

/** Returns these methods for a simulated host. */
export function btrfsActs(world: World, does: WrapAct): BtrfsAdmin {
  return {
    btrfs: does((...argv) => {
      const { exitCode, stderr } = must(btrfsTools.btrfs, 'btrfs')({ world, tool: 'btrfs', argv });
      if (exitCode !== 0) throw new TypeError(`the administrator's btrfs failed: ${stderr}`);
      for (const { type, storage } of world.mounts)
        if (type === 'btrfs' && storage !== undefined) settle(world, storage);
    }),
  };
}
