import { orMissing, type ReadHost } from '../command/index.ts';
import { keysOf } from '../blockdevice/index.ts';
import { resourceNamed } from '../drbd/index.ts';
import { askedHere, type Here } from '../drbd/operations/known-resource.ts';
import { reconnect, type ResourceState } from '../drbd/state.ts';
import { RefusedError } from '../core/errors.ts';
import { type LogicalVolume, lvs } from '../lvm/index.ts';
import { on, refusals } from '../core/refusals.ts';
import { memberAt, type Member, membersAt, type Members, type Reachable } from './hosts.ts';
import { option } from '../core/option.ts';

/** A host of a resource, with the state of the resource there. */
export interface Part extends Member {
  readonly resource: Here;
}

/** A host of a resource that is up there. */
export type UpPart = Part & { readonly resource: Here & { readonly state: ResourceState } };

/** The resource, and its two hosts if their names differ from those in its configuration. */
export interface Asked {
  readonly name: string;
  readonly on?: readonly [string, string];
}

/**
 * Refuses to remove the data of the peer, `of`, while the two hosts are not connected, because it may be
 * newer: a secondary that has lost its peer stays UpToDate, whatever the peer writes (8.4, without fencing),
 * and the peer of a primary may have been primary too.
 */
export function refuseOlder({ resource: { name, state } }: Part, { of }: { readonly of: string }): void {
  if (state?.connections.some((each) => each.state === 'Connected') === true) return;
  const [is, what] =
    state === undefined
      ? ['down', 'is newer']
      : state.role === 'Primary'
        ? ['primary and not connected', 'has diverged']
        : ['secondary and not connected', 'is newer'];
  throw new RefusedError(`${name} is ${is}, so it is unknown whether the data of ${of} ${what}`, {
    remedy: `${reconnect(name, state)}; or leave its volume: ${option('--keep-volumes', "volumes: 'kept'")}`,
  });
}

/** The two hosts of an existing resource, from the request or else from the configuration of this host. */
export async function membersOf(hosts: Reachable, { name, on: asked }: Asked): Promise<Members> {
  return membersAt(hosts, asked ?? (await namesIn(hosts.host, name)));
}

/** Only the current host. */
export async function ownMember(hosts: Reachable): Promise<readonly [Member]> {
  return [await memberAt(hosts, (await hosts.host.facts()).hostname)];
}

/** The two hosts of a resource by their names in the configuration. */
export async function namesIn(host: ReadHost, name: string): Promise<readonly [string, string]> {
  const { configured } = await resourceNamed(host, name);
  const names = (configured?.hosts ?? []).map((each) => each.names);
  const [a, b] = names.flat();
  if (a !== undefined && b !== undefined && names.length === 2 && names.flat().length === 2) return [a, b];
  throw new RefusedError(
    configured === undefined
      ? `no file of the configuration has the DRBD resource ${name}, which is up`
      : `${name} is configured for ${names.map((each) => each.join(' ') || 'a floating host').join(', ')}, and not for two hosts by their names`,
    { remedy: `see its configuration, on each of its hosts: bofh drbd show ${name}` },
  );
}

/**
 * Reads the part of a resource on each host. Throws one error for all hosts that do not have the resource, or
 * have a different one.
 */
export async function partsOf(members: readonly Member[], name: string): Promise<readonly Part[]> {
  const found = refusals();
  const looks = await found.each(members, async (member, attempt): Promise<Part[]> => {
    const resource = await attempt(() => on(member.name, () => askedHere(member.host, name)));
    return resource === undefined ? [] : [{ ...member, resource }];
  });
  found.throwAll();
  const parts = looks.flat();
  const [first, second] = parts.map(({ resource }) => resource.configured?.hosts);
  if (parts.length > 1 && JSON.stringify(first) !== JSON.stringify(second)) refuseUnlike(name, parts);
  return parts;
}

function refuseUnlike(name: string, parts: readonly Part[]): never {
  const compare = `compare them, on each host: bofh drbd show ${name}`;
  const namesOf = ({ resource }: Part) => (resource.configured?.hosts ?? []).flatMap(({ names }) => names);
  // A peer that was replaced while it was off still has the old configuration.
  const replaced = parts.filter((part) => !parts.every((each) => namesOf(each).includes(part.name)));
  const [gone] = replaced;
  if (gone === undefined || replaced.length > 1)
    throw new RefusedError(
      `the configurations of ${name} on ${parts.map((each) => each.name).join(' and ')} differ`,
      { remedy: compare },
    );
  const forWhom = (part: Part) => `on ${part.name} names ${namesOf(part).join(' and ')}`;
  throw new RefusedError(`the configuration of ${name} ${parts.map(forWhom).join(', and that ')}`, {
    remedy: `if ${gone.name} was replaced, run on ${gone.name}: bofh drbd remove ${name} --here; if not, ${compare}`,
  });
}

/** The parts of a resource that is up on each host. */
export async function upPartsOf(members: Members, name: string): Promise<readonly [UpPart, UpPart]> {
  const parts = await partsOf(members, name);
  const up = parts.flatMap((part) => {
    const { state } = part.resource;
    return state === undefined ? [] : [{ ...part, resource: { ...part.resource, state } }];
  });
  const [a, b] = up;
  if (a !== undefined && b !== undefined) return [a, b];
  const down = parts.filter(({ resource }) => resource.state === undefined).map((each) => each.name);
  throw new RefusedError(`${name} is not up on ${down.join(' and ')}`, {
    remedy: `bring it up there: bofh drbd up ${name}`,
  });
}

/** The logical volume at a path, active or not; undefined if the path is not one. */
export async function volumeAt(
  host: ReadHost,
  path: string,
): Promise<{ readonly lv: LogicalVolume; readonly all: readonly LogicalVolume[] } | undefined> {
  const all = await lvs(host);
  const lv = await keyAt(host, path).then((key) =>
    all.find((each) =>
      key === undefined ? [each.path, each.dmPath].includes(path) : key === `lv:${each.vg}/${each.name}`,
    ),
  );
  return lv && { lv, all: all.filter(({ vgUuid }) => vgUuid === lv.vgUuid) };
}

/** The key of a device; undefined if there is no such device now. */
async function keyAt(host: ReadHost, path: string): Promise<string | undefined> {
  return (await orMissing(keysOf(host, path)))?.key;
}
