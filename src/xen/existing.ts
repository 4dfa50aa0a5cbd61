import { ensurable } from '../atomic/ensure.ts';
import { domains } from './domains.ts';
import { configOf } from './operations/guest.ts';
import * as operations from './operations.ts';

/** Starts a guest from its configuration, or does nothing if it runs, or is paused, as requested. */
export const create = ensurable(operations.create, async (host, { config, name, initially = 'running' }) => {
  const read = await configOf(host, { config, name });
  const [domain, ...more] = await domains(host, (each) => each.name === name);
  if (domain === undefined) return undefined;
  return {
    what: `the guest ${name}`,
    keys: [`dom:${name}`, `file:${config}`],
    compared: {
      domains: [1, 1 + more.length],
      uuid: [read.uuid, domain.uuid],
      state: [initially, domain.state],
    },
    value: { name, uuid: domain.uuid, domid: domain.id },
    show: `bofh vm show ${name}`,
  };
});
