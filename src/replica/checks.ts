import type { ReadHost } from '../command/index.ts';
import { configured, moduleVersion, type Taken, taken } from '../drbd/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { checkLvName, usableVg } from '../lvm/index.ts';
import { refuseFull } from '../lvm/operations/extents.ts';
import { refuseTaken } from '../lvm/operations/refuse-taken.ts';
import type { WholeGroup } from '../lvm/objects.ts';
import type { Bytes } from '../core/units.ts';

/** The part of the state of a host that matters for a new resource. */
export interface HostState {
  /** Series of the module: `8.4`, `9`. */
  readonly series: string;
  readonly version: string;
  readonly vg: WholeGroup;
  readonly taken: Taken;
}

/**
 * Checks that a module is loaded, that bofh knows its version, and that drbd-utils can read the
 * configuration.
 */
export async function checkDrbd(host: ReadHost): Promise<Pick<HostState, 'series' | 'version'>> {
  const version = await moduleVersion(host);
  if (version === undefined)
    throw new RefusedError('the module of DRBD is not loaded', { remedy: 'load it there: modprobe drbd' });
  const series = /^(?<series>8\.4|9)\./.exec(version)?.groups?.series;
  if (series === undefined)
    throw new RefusedError(`bofh does not know module ${version} of DRBD`, {
      remedy: 'load module 8.4 or 9: bofh knows only these',
    });
  if ((await configured(host)).length === 0 && (await host.stat('/etc/drbd.conf')) === undefined)
    throw new RefusedError('there is no /etc/drbd.conf', {
      remedy: 'create it with this line: include "drbd.d/*.res";',
    });
  return { series, version };
}

/** The volume group for the new volume. Throws RefusedError if it already has a volume of that name. */
export async function checkGroup(
  host: ReadHost,
  { vg: name, lv }: { readonly vg: string; readonly lv: string },
): Promise<WholeGroup> {
  checkLvName(name, lv);
  const vg = await usableVg(host, name);
  await refuseTaken(host, vg, { name: lv });
  return vg;
}

/** The ports and minor numbers in use on a host. Throws RefusedError if a requested one is in use. */
export async function checkNumbers(
  host: ReadHost,
  { port, minor }: { readonly port: number | undefined; readonly minor: number | undefined },
): Promise<Taken> {
  const all = await taken(host);
  const words = [
    ...(port !== undefined && all.ports.has(port) ? [`port ${String(port)}`] : []),
    ...(minor !== undefined && all.minors.has(minor) ? [`the minor number ${String(minor)}`] : []),
  ];
  if (words.length > 0)
    throw new RefusedError(`${words.join(' and ')} ${words.length === 1 ? 'is' : 'are'} taken`, {
      remedy: 'choose another one, or omit it: bofh then takes the lowest that is free on both hosts',
    });
  return all;
}

/** The size of a volume: at least `least` bytes, and a multiple of the extents of every group. */
export function sizeFor(groups: readonly { readonly extentSize: Bytes }[], least: Bytes): Bytes {
  const step = groups.reduce((all, { extentSize }) => commonMultiple(all, extentSize), 1);
  return Math.ceil(least / step) * step;
}

export function checkRoom(vg: WholeGroup, { lv, size }: { readonly lv: string; readonly size: Bytes }): void {
  refuseFull(vg, { name: lv, extents: size / vg.extentSize });
}

/**
 * Throws if the modules are of two series: their metadata differs, and they replicate only with the features
 * of the older one.
 */
export function checkSeries(
  hostStates: readonly (Pick<HostState, 'series' | 'version'> & { name: string })[],
): void {
  if (new Set(hostStates.map(({ series }) => series)).size <= 1) return;
  const all = hostStates.map(({ name, version }) => `${version} on ${name}`).join(' and ');
  throw new RefusedError(`the hosts have different series of the DRBD module: ${all}`, {
    remedy: 'install the same series on both hosts',
  });
}

/** The volume group from the request or the site file. Throws UsageError if neither names one. */
export function groupNamed(asked: string | undefined, site: { readonly volumeGroup?: string }): string {
  const vg = asked ?? site.volumeGroup;
  if (vg !== undefined) return vg;
  throw new UsageError(
    `no volume group given: use ${option('--vg', 'vg')}, or set volumeGroup in the site file`,
  );
}

function commonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
