import { afterAll, beforeAll, describe } from 'vitest';
import { testRandomDescriptions } from '../support/containers/random-descriptions.ts';
import { installBofh } from '../support/dom0/install.ts';
import { available, bootMachine, defaultSuite, type Machine } from '../support/rig/index.ts';

const can = await available();
const required = process.env['BOFH_REQUIRE_RIG'] === '1';

describe.skipIf(!can.ok && !required)('descriptions of a host, on a real kernel with systemd', () => {
  let machine: Machine;
  beforeAll(async () => {
    if (!can.ok) throw new Error(can.reason);
    machine = await bootMachine({ hypervisor: 'none', init: 'systemd', name: 'host' });
    await installBofh(machine);
  });
  afterAll(async () => {
    await machine.close();
  });

  const run = async (script: string) => {
    const command = ['sh', '-ec', `exec 2>&1; ${script}`];
    const { exitCode, stdout, stderr } = await machine.run(command, { check: 'return', timeoutMs: 900_000 });
    return { exitCode, text: stdout + stderr };
  };
  testRandomDescriptions(
    {
      run,
      must: async (script) => {
        const { exitCode, text } = await run(script);
        if (exitCode !== 0) throw new Error(`${script}: exit ${String(exitCode)}\n${text}`);
        return text;
      },
      put: (path, content) => machine.putText(path, content),
    },
    { suite: `${defaultSuite()} in the rig`, secondsEach: 600 },
  );
});
