import { nextFree, type Resource, type Taken, taken } from '../drbd/index.ts';
import { addressesOf } from '../drbd/config.ts';
import type { NewConfig } from '../drbd/new-config.ts';
import { refuseTaken } from '../drbd/operations/refuse-taken.ts';
import { RefusedError } from '../core/errors.ts';
import type { LogicalVolume } from '../lvm/index.ts';
import { on, refusals } from '../core/refusals.ts';
import type { Bytes } from '../core/units.ts';
import { checkDrbd, checkGroup, checkRoom, checkSeries, sizeFor } from './checks.ts';
import type { Member, Members } from './hosts.ts';
import { checkNames, configFor, pairOf } from './join.ts';
import type { UpPart } from './known-resource.ts';
import type { CheckedReplace } from './request.ts';

/** The settings of the resource on its new peer. */
export interface Target {
  readonly vg: string;
  readonly lv: string;
  readonly size: Bytes;
  /** The addresses of both hosts, in the order of the file. */
  readonly config: NewConfig;
}

interface Wanted {
  /** The host with the data. */
  readonly up: UpPart;
  readonly to: Member;
  /** The name of the replaced peer in the configuration. */
  readonly from: string;
  readonly request: CheckedReplace;
  /** The volume on this host; undefined if it was already refused. */
  readonly source: LogicalVolume | undefined;
}

/**
 * Checks the new host: its module, a volume of the same name and size, and free numbers. Throws all
 * refusals at once.
 */
export async function targetOf(wanted: Wanted): Promise<Target> {
  const { up, to, request, source } = wanted;
  const found = refusals();
  await found.try(() => checkModules(up, to));
  const pair: Members = up.name < to.name ? [up, to] : [to, up];
  checkNames(pair, request);
  const addresses = await found.try(() => pairOf(pair, request.addresses));
  const port = await found.try(() => portFor(wanted));
  const place = source === undefined ? undefined : await found.try(() => placeOn(to, { request, source }));
  if (addresses === undefined || port === undefined || place === undefined) {
    found.throwAll();
    throw new RefusedError(`the place for the disk on ${to.name} is unknown`, {
      remedy: 'the other refusals in this list have the reason',
    });
  }
  const [own] = up.resource.here.volumes;
  const made = configFor(pair, {
    ...{ asked: 'drbd.replacePeer', name: request.name, protocol: undefined, addresses, port },
    minor: own?.minor ?? 0,
    disks: pair.map((each) => (each === to ? `/dev/${place.vg}/${place.lv}` : (own?.disk ?? ''))),
  });
  const there = made.hosts.find((each) => each.name === to.name);
  if (there !== undefined)
    await found.try(() => on(to.name, () => refuseTaken(to.host, { name: request.name, here: there })));
  found.throwAll();
  return { ...place, config: inFileOrder(made, wanted) };
}

/** The commands that replace a peer without bofh. drbdadm reads only the files of its own host. */
export function replaceByHand({ name, configured }: Resource): string {
  const file = configured?.file ?? `the file of ${name}`;
  return `replace its peer by hand: drbdadm disconnect ${name}; edit ${file}; on the new host: create its disk; copy ${file} to it; drbdadm create-md ${name}; drbdadm up ${name}; then here: drbdadm adjust ${name}`;
}

/**
 * Refuses hosts with different series, and series 9, where a peer and its connection have a number, for which
 * `connect` accepts no other address (adm_connect of v9/drbdadm_main.c, 9.22).
 */
async function checkModules(up: UpPart, to: Member): Promise<void> {
  const found = refusals();
  const modules: (Awaited<ReturnType<typeof checkDrbd>> & { readonly name: string })[] = [];
  for (const { name, host } of [up, to]) {
    const module = await found.try(() => on(name, () => checkDrbd(host)));
    if (module !== undefined) modules.push({ name, ...module });
  }
  await found.try(() => checkSeries(modules));
  const nine = modules.find(({ series }) => series === '9');
  if (nine !== undefined)
    await found.try(() => {
      throw new RefusedError(
        `bofh cannot replace a peer while ${nine.name} runs module ${nine.version} of DRBD`,
        {
          remedy: replaceByHand(up.resource),
        },
      );
    });
  found.throwAll();
}

/** A volume of the same name, and at least of the same size. */
async function placeOn(
  to: Member,
  { request, source }: { readonly request: CheckedReplace; readonly source: LogicalVolume },
): Promise<Omit<Target, 'config'>> {
  const { vg = source.vg } = request;
  const lv = source.name;
  return on(to.name, async () => {
    const group = await checkGroup(to.host, { vg, lv });
    const size = sizeFor([group], source.size);
    checkRoom(group, { lv, size });
    return { vg, lv, size };
  });
}

/**
 * The current port, if the old peer is brought down and the port is free on the new host. Otherwise another
 * port: a lost peer may come back, and module 8.4 accepts any host that connects to its port
 * (drbd_wait_for_connect, drbd_receiver.c).
 */
async function portFor({ up, to, request }: Wanted): Promise<number> {
  const [own, its] = [await on(up.name, () => taken(up.host)), await on(to.name, () => taken(to.host))];
  const ports = new Set(
    (up.resource.configured?.hosts ?? []).flatMap((host) => addressesOf(host).map(({ port }) => port)),
  );
  const [now] = ports;
  const isFree = (port: number): boolean => !its.ports.has(port) && (ports.has(port) || !own.ports.has(port));
  if (request.port !== undefined) return checkPort(request.port, isFree(request.port));
  if (request.old === 'removed' && now !== undefined && ports.size === 1 && isFree(now)) return now;
  return nextFree([own, its] satisfies readonly Taken[]).port;
}

function checkPort(port: number, isFree: boolean): number {
  if (isFree) return port;
  throw new RefusedError(`port ${String(port)} is taken`, {
    code: 'exists',
    remedy: 'choose another one, or omit it: bofh then takes the lowest that is free on both hosts',
  });
}

/** The hosts in the order of the file. Ignores node ids: those in the file stay. */
function inFileOrder({ hosts, ...rest }: NewConfig, { up, from, to }: Wanted): NewConfig {
  const names = (up.resource.configured?.hosts ?? []).map(({ names: [name] }) =>
    name === from ? to.name : name,
  );
  return {
    ...rest,
    hosts: hosts
      .toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
      .map(({ nodeId: _, ...host }) => host),
  };
}
