import type { DrbdResource } from '../world/drbd.ts';
import { write } from '../world/drbd-link.ts';
import { withMetadata } from '../tools/drbd/bytes.ts';
import { drbdTools } from '../tools/drbd/drbdadm.ts';
import { settle, type World } from '../world/world.ts';
import { deviceOf, type WrapAct, must } from './act.ts';

/** Acts of an administrator, or of the peer, on DRBD. */
export interface DrbdAdmin {
  /** Writes DRBD metadata to a device; `replica`: the disk state in it. */
  drbdMetadata(device: string, uuid: string, replica: 'Inconsistent' | 'UpToDate'): void;
  /** Runs drbdadm: `drbdadm('up', 'web1')`. */
  drbdadm(...argv: readonly string[]): void;
  /** Writes data to a resource that is up. */
  drbdWrite(name: string): void;
  /** Sets the role, the connection or the peer of a resource that is up. */
  setDrbd(name: string, to: Partial<Pick<DrbdResource, 'role' | 'connection' | 'peer'>>): void;
}

/** Returns these methods for a simulated host. */
export function drbdActs(world: World, does: WrapAct): DrbdAdmin {
  const named = (name: string): DrbdResource =>
    must(
      world.drbd.resources.find((each) => each.name === name),
      name,
    );
  return {
    drbdMetadata: does((path, uuid, replica) => {
      const device = deviceOf(world, path);
      world.live.set(device.storage, withMetadata(device, {}, { uuid, replica }));
      settle(world, device.storage);
    }),
    drbdadm: does((...argv) => {
      const { exitCode, stderr } = must(drbdTools['drbdadm'], 'drbdadm')({ world, tool: 'drbdadm', argv });
      if (exitCode !== 0) throw new TypeError(`the administrator's drbdadm failed: ${stderr}`);
    }),
    drbdWrite: does((name) => {
      write(world, named(name));
    }),
    setDrbd: does((name, to) => {
      Object.assign(named(name), to);
    }),
  };
}
