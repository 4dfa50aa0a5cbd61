import { kernelText } from '../blockdevice/node.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { drbdConfig, drbdEvents, drbdVersion } from './commands.ts';
import type { Configured, ConfiguredHost } from './config.ts';
import { parseProc, type ProcStatus } from './proc.ts';
import { type ResourceState, unnamedPeer } from './state.ts';
import { checkText } from '../core/checks.ts';
import { present } from '../core/present.ts';

/** A resource that is configured, up, or both. */
export interface Resource {
  /** The name in the configuration, or in the kernel for a resource without configuration. */
  readonly name: string;
  /** Undefined if only the kernel has the resource. */
  readonly configured?: Configured;
  /** This host's part of the configuration; undefined if this host has none. */
  readonly here?: ConfiguredHost;
  /** Undefined if the resource is not up. */
  readonly state?: ResourceState;
}

/**
 * Version of the loaded module; undefined if none is loaded. Reads no program, because drbdsetup and drbdadm
 * load the module.
 */
export async function moduleVersion(host: ReadHost): Promise<string | undefined> {
  return kernelText(host, '/sys/module/drbd/version');
}

/** Version of drbd-utils; undefined if the module is not loaded, because calling them would load it. */
export async function utilsVersion(host: ReadHost): Promise<string | undefined> {
  return (await moduleVersion(host)) === undefined ? undefined : host.run(drbdVersion());
}

/** Every resource that is up; none if the module is not loaded. */
export async function states(host: ReadHost): Promise<readonly ResourceState[]> {
  return (await moduleVersion(host)) === undefined ? [] : host.run(drbdEvents());
}

/**
 * The kernel's state, read without a program, for a host without drbd-utils. Undefined if the module is not
 * loaded.
 */
export async function procStatus(host: ReadHost): Promise<ProcStatus | undefined> {
  const text = await kernelText(host, '/proc/drbd');
  return text === undefined ? undefined : parseProc(`${text}\n`);
}

/** The paths that drbdadm tries (v9/drbdadm_linux.c of 9.22, conf_file). */
const configFiles = [
  '/etc/drbd-90.conf',
  '/etc/drbd-84.conf',
  '/etc/drbd-83.conf',
  '/etc/drbd-82.conf',
  '/etc/drbd-08.conf',
  '/etc/drbd.conf',
];

/**
 * Every resource of the configuration, also of other hosts; none without a configuration. Throws RefusedError
 * if a file is incomplete: drbdadm-84 of 9.22 reads the end of a file as the end of a resource, and exits 0.
 */
export async function configured(host: ReadHost): Promise<readonly Configured[]> {
  const files = await Promise.all(configFiles.map((path) => host.stat(path)));
  if (files.every((file) => file === undefined)) return [];
  const all = await host.run(drbdConfig());
  const cut = all.find(({ hosts }) => hosts.length === 0);
  if (cut === undefined) return all;
  throw new RefusedError(
    `the DRBD resource ${cut.name} (${cut.file}:${String(cut.line)}) is on no host: its file is incomplete`,
    { remedy: `complete ${cut.file}, or move it away; see how drbdadm reads it: drbdadm dump` },
  );
}

/** Every resource of this host, by name: those that are configured, and those that are up. */
export async function resources(host: ReadHost): Promise<readonly Resource[]> {
  const [inFiles, up, { hostname }] = await Promise.all([configured(host), states(host), host.facts()]);
  const names = new Set([...inFiles, ...up].map(({ name }) => name));
  return [...names].sort().map((name) => {
    const file = inFiles.find((each) => each.name === name);
    const here = file?.hosts.find((each) => each.names.includes(hostname));
    const state = up.find((each) => each.name === name);
    return withPeerName({ name, ...present({ configured: file, here, state }) });
  });
}

/** Adds the name of the peer, which 8.4 does not report: the only other host in the configuration. */
function withPeerName(resource: Resource): Resource {
  const { configured: file, here, state } = resource;
  const others = here === undefined ? [] : (file?.hosts ?? []).filter((host) => host !== here);
  const [name] = others[0]?.names ?? [];
  if (state === undefined || name === undefined || others.length > 1) return resource;
  const connections = state.connections.map((each) =>
    each.peer === unnamedPeer ? { ...each, peer: name } : each,
  );
  return { ...resource, state: { ...state, connections } };
}

/** The resource with a name. If there is none, throws RefusedError, which lists the existing resources. */
export async function resourceNamed(host: ReadHost, name: string): Promise<Resource> {
  checkText('the name of the resource', name);
  const all = await resources(host);
  const found = all.find((each) => each.name === name);
  if (found !== undefined) return found;
  const there =
    all.length === 0
      ? 'there is none; to create one: bofh drbd create NAME --on HOST,HOST --size SIZE'
      : `there are ${all.map((each) => each.name).join(', ')}`;
  throw new RefusedError(`there is no DRBD resource ${name}`, { code: 'not-found', remedy: there });
}
