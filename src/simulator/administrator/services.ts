import { serviceTools } from '../tools/service/systemctl.ts';
import { setParameter } from '../world/parameters.ts';
import { settle, type World } from '../world/world.ts';
import type { Does } from './act.ts';

/** Acts of an administrator on units of systemd. */
export interface ServiceAdmin {
  /** Runs a verb of systemctl on a unit, or without one on the manager: `('restart', 'web.service')`. */
  systemctl(verb: string, unit?: string): void;
  /** Sets a kernel parameter by its path below /proc/sys: `('net/ipv4/ip_forward', '1')`. */
  sysctl(path: string, value: string): void;
  /** Loads a kernel module, with so many other uses than by modules (default: 0). */
  module(name: string, opens?: number): void;
  /** Creates a network bridge, which its module does not count as a use. */
  bridge(name: string): void;
  /** Does by hand what a script of `tx.shell.run` does, or takes it back. */
  script(name: string, isDone: boolean): void;
}

/** These acts, on a host in memory. */
export function serviceActs(world: World, does: Does): ServiceAdmin {
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
