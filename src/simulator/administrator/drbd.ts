import type { DrbdResource } from '../world/drbd.ts';
import { write } from '../world/drbd-link.ts';
import { withMetadata } from '../tools/drbd/bytes.ts';
import { drbdTools } from '../tools/drbd/drbdadm.ts';
import { settle, type World } from '../world/world.ts';
import { deviceOf, type Does, must } from './act.ts';

/** Acts of an administrator, or of the peer, on DRBD. */
export interface DrbdAdmin {
  /** Metadata of DRBD on a device; `replica`: what they say of the data. */
  drbdMetadata(device: string, uuid: string, replica: 'Inconsistent' | 'UpToDate'): void;
  /** A command of drbdadm, as the model knows it. */
  drbdadm(...argv: readonly string[]): void;
  /** Writes to a resource that is up. */
  drbdWrite(name: string): void;
  /** What became of a resource that is up. */
  setDrbd(name: string, to: Partial<Pick<DrbdResource, 'role' | 'connection' | 'peer'>>): void;
}

/** These acts, on a host in memory. */
export function drbdActs(world: World, does: Does): DrbdAdmin {
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
