import type { SimulatedHost } from '../../../src/simulator/index.ts';

/** A host without a running systemd, as in a stopped guest. */
export function withoutSystemd(host: SimulatedHost): SimulatedHost {
  return {
    ...host,
    run: async (command) =>
      command.argv[0] === 'is-system-running'
        ? command.parse({ exitCode: 1, stdout: 'offline\n', stderr: '' })
        : host.run(command),
  };
}
