import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { xlResources } from './commands.ts';
import type { Domain } from './domains.ts';
import type { GivenResources } from './schema.ts';

/** The resources of a running or paused guest. Throws RefusedError if xl shows no configuration of it. */
export async function givenTo(
  host: ReadHost,
  { id, name = '' }: Pick<Domain, 'id' | 'name'>,
): Promise<GivenResources> {
  const given = (await host.run(xlResources())).find(({ domid }) => domid === id);
  if (given !== undefined) return given;
  throw new RefusedError(
    `xl list -l shows no configuration of ${name} (domain ${id}): the domain may be incomplete`,
    {
      remedy: 'look for the cause in /var/log/xen',
    },
  );
}
