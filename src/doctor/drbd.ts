import type { ReadHost } from '../command/index.ts';
import { differences, moduleVersion, resources } from '../drbd/index.ts';
import { type Finding, finding, looking } from './finding.ts';

/** Reports resources whose running state differs from their configuration. */
export async function drbd(host: ReadHost, root: boolean): Promise<readonly Finding[]> {
  return looking({ check: 'drbd', what: 'the resources of DRBD', root }, async () => {
    // drbdadm would load the module.
    if ((await moduleVersion(host)) === undefined) return [];
    const found: Finding[] = [];
    for (const resource of await resources(host)) {
      const other = await differences(host, resource);
      const { name, configured } = resource;
      if (other.length === 0) continue;
      const says = `the kernel runs ${name} otherwise than ${configured?.file ?? ''} says; to follow the file needs: ${other.join('; ')}`;
      found.push(
        finding('drbd', 'problem', says, [
          ['bofh', 'drbd', 'show', name],
          ['bofh', 'drbd', 'adjust', name],
        ]),
      );
    }
    return found;
  });
}
