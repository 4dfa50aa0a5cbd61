import { numberAt } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { addressesOf } from '../config.ts';
import type { NewConfig } from '../new-config.ts';
import { usedPorts } from '../next.ts';
import { type Resource, resources } from '../reads.ts';
import { deviceOf, minorsOf } from './known-resource.ts';
import { option } from '../../core/option.ts';

type Here = NewConfig['hosts'][number];

/** Throws RefusedError if another resource of this host, or a program, uses the name, port, minor or disk. */
export async function refuseTaken(
  host: ReadHost,
  {
    name,
    here,
    up = 'nothing',
  }: {
    readonly name: string;
    readonly here: Here;
    /** `itself`: the resource is up with these very devices, and its own file was just removed. */
    readonly up?: 'nothing' | 'itself';
  },
): Promise<void> {
  const known = await resources(host);
  const same = known.find((each) => each.name === name);
  const all = up === 'itself' ? known.filter((each) => each !== same) : known;
  if (up === 'itself') refuseOther(name, same, here);
  else if (same !== undefined)
    throw new RefusedError(`there is a DRBD resource ${name} already`, {
      remedy:
        same.configured === undefined
          ? `it is up, but in no configuration file; if nothing uses it, bring it down: drbdsetup down ${name}`
          : `it is configured in ${same.configured.file}: choose another name`,
    });
  for (const { minor } of here.volumes)
    for (const other of all)
      if (hasMinor(other, minor))
        throw new RefusedError(`${deviceOf(minor)} belongs to the DRBD resource ${other.name}`, {
          remedy: `choose another minor number: ${option('bofh drbd next --on HOST,HOST', 'drbd.next({ on: [HOST, HOST] })')}`,
        });
  refusePort(all, here, up === 'itself' ? [] : await usedPorts(host));
  await refuseDisks(host, all, here);
}

function refuseOther(name: string, same: Resource | undefined, { volumes }: Here): void {
  const minors = volumes.map(({ minor }) => minor).sort((a, b) => a - b);
  if (same?.state !== undefined && minorsOf(same.state).join() === minors.join()) return;
  throw new RefusedError(
    `${name} is not up with the minor numbers of the new configuration (${minors.join(', ')}): nothing was written`,
    {
      remedy: 'see what is up: bofh drbd list',
    },
  );
}

function hasMinor({ here, state }: Resource, minor: number): boolean {
  return (
    (here?.volumes ?? []).some((each) => each.minor === minor) ||
    (state !== undefined && minorsOf(state).includes(minor))
  );
}

/**
 * Refuses a port in use, whatever its address: DRBD can share a port between two addresses, but that would
 * confuse the next administrator.
 */
function refusePort(all: readonly Resource[], { port }: Here, used: readonly number[]): void {
  const other = all.find(
    ({ here }) => here !== undefined && addressesOf(here).some((each) => each.port === port),
  );
  if (other === undefined && !used.includes(port)) return;
  const whose = other === undefined ? 'a program on this host' : `the DRBD resource ${other.name}`;
  throw new RefusedError(`port ${String(port)} belongs to ${whose}`, {
    remedy: `choose another port: ${option('bofh drbd next --on HOST,HOST', 'drbd.next({ on: [HOST, HOST] })')}`,
  });
}

async function refuseDisks(host: ReadHost, all: readonly Resource[], { volumes }: Here): Promise<void> {
  const others = all.flatMap(({ name, here }) =>
    (here?.volumes ?? []).flatMap(({ disk, metadata }) =>
      [disk, metadata === 'internal' ? undefined : metadata.device].flatMap((path) =>
        path === undefined ? [] : [{ name, path }],
      ),
    ),
  );
  const own = new Map<string, string>();
  for (const { disk } of volumes) {
    const number = await numberAt(host, disk);
    const twin = own.get(number ?? disk);
    if (twin !== undefined)
      throw new RefusedError(`${twin} and ${disk} are the same device`, {
        remedy: 'use another device for each volume',
      });
    own.set(number ?? disk, disk);
    for (const { name, path } of others)
      if (path === disk || (number !== undefined && (await numberAt(host, path)) === number))
        throw new RefusedError(`${disk} belongs to the DRBD resource ${name}`, {
          remedy: `use another device; see: bofh drbd show ${name}`,
        });
  }
}
