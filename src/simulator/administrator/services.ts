import { serviceTools } from '../tools/service/systemctl.ts';
import { setParameter } from '../world/parameters.ts';
import { settle, type World } from '../world/world.ts';
import type { WrapAct } from './act.ts';

/** Acts of an administrator on units of systemd. */
export interface ServiceAdmin {
  /**
   * Runs a verb of systemctl on a unit, or without a unit on the manager: `('restart',
   * 'web.service')`.
   */
  systemctl(verb: string, unit?: string): void;
  /** Sets a kernel parameter by its path below /proc/sys: `('net/ipv4/ip_forward', '1')`. */
  sysctl(path: string, value: string): void;
  /** Loads a kernel module. `opens`: its use count, without other modules that use it (default: 0). */
  module(name: string, opens?: number): void;
  /** Creates a network bridge. The use count of its kernel module does not change. */
  bridge(name: string): void;
  /** Sets whether the work of a script of `tx.shell.run` is done, as if an administrator had done or undone it. */
  script(name: string, isDone: boolean): void;
}

/** Returns these methods for a simulated host. */
export function serviceActs(world: World, does: WrapAct): ServiceAdmin {
  return {
    systemctl: does((verb, unit) => {
      const argv = unit === undefined ? [verb] : [verb, '--', unit];
      const answer = serviceTools['systemctl']?.({ world, tool: 'systemctl', argv });
      if (answer?.exitCode !== 0) throw new TypeError(`systemctl ${argv.join(' ')}: ${answer?.stderr ?? ''}`);
      settle(world, 'disk:vda');
    }),
    sysctl: does((path, value) => setParameter(world, path, value)),
    module: does((name, opens = 0) => void world.modules.set(name, { opens })),
    bridge: does((name) => {
      world.bridges = [...world.bridges, name];
    }),
    script: does((name, isDone) => void world.scripts.set(name, isDone)),
  };
}
