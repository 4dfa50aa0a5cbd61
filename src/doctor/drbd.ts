import type { ReadHost } from '../command/index.ts';
import { differences, findings, missingAddresses, moduleVersion, resources } from '../drbd/index.ts';
import { interfaces } from '../network/index.ts';
import { type Finding, finding, looking } from './finding.ts';

/**
 * Reports the problems of every resource, and each difference between its running state and its
 * configuration.
 */
export async function drbd(host: ReadHost, root: boolean): Promise<readonly Finding[]> {
  return looking({ check: 'drbd', what: 'the resources of DRBD', root }, async () => {
    // drbdadm would load the module.
    if ((await moduleVersion(host)) === undefined) return [];
    const all = (await resources(host)).filter(({ here, state }) => (here ?? state) !== undefined);
    const own = all.length === 0 ? [] : await interfaces(host);
    const found: Finding[] = [];
    for (const resource of all) {
      const { name, configured } = resource;
      for (const { level, words } of [...missingAddresses(resource, own), ...findings(resource)])
        found.push(
          finding('drbd', level === 'problem' ? level : 'warning', `${name}: ${words}`, [
            ['bofh', 'drbd', 'status', name],
          ]),
        );
      const other = await differences(host, resource);
      if (other.length === 0) continue;
      const says = `${name} runs with other settings than ${configured?.file ?? ''} has; to apply the file: ${other.join('; ')}`;
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
