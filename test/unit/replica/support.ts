import { expect } from 'vitest';
import type { Bofh } from '../../../src/connect.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { createReplica, planCreate, type CreatedReplica } from '../../../src/replica/create.ts';
import { BofhError } from '../../../src/core/errors.ts';
import { membersAt } from '../../../src/replica/hosts.ts';
import { checkCreate, type CreateRequest } from '../../../src/replica/request.ts';
import { linkDrbd } from '../../../src/simulator/world/drbd-link.ts';
import { simulatedHost, simulatedPair, type SimulatedHost } from '../../../src/simulator/index.ts';

const conf = 'include "drbd.d/global_common.conf";\ninclude "drbd.d/*.res";\n';

/** A host with the module of DRBD, its programs, and an address. */
export function ground(
  hostname: string,
  address: string,
  more: Parameters<typeof simulatedHost>[0] = {},
): SimulatedHost {
  const host = simulatedHost({ hostname, seed: hostname, addresses: [`${address}/24`], ...more });
  prepared(host);
  return host;
}

/** What every host of a replica needs. */
export function prepared(host: SimulatedHost): void {
  host.admin.writeFile('/etc/drbd.conf', conf);
  host.admin.mkdir('/etc/drbd.d');
  host.world.drbd.module = 'loaded';
}

/** Two such hosts, `alpha` and, known as `there`, `beta`. */
export function two(here = ground('alpha', '10.0.0.1'), there = ground('beta', '10.0.0.2')) {
  return { ...simulatedPair({ here, there }), alpha: here };
}

export const request: CreateRequest = {
  ...{ name: 'web1', on: ['alpha', 'there'], size: '64m', vg: 'vg0' },
  connectMs: 50,
};

/** `drbd.create` on a pair. */
export async function create(bofh: Bofh, more: Partial<CreateRequest> = {}): Promise<CreatedReplica> {
  const hosts = bofh.engine;
  const asked = checkCreate({ ...request, ...more });
  const plan = await planCreate({
    members: await membersAt(hosts, asked.on),
    site: bofh.site,
    request: asked,
  });
  return withBofh(bofh, () => atomic('drbd create web1', (tx) => createReplica(tx, hosts, plan)));
}

export const ext4 = {
  ...({ type: 'ext4', usage: 'filesystem', version: '1.0', blockSize: 4096, blocks: 17408 } as const),
  uuid: '5e1f0000-0000-4000-8000-0000000000aa',
};

/** Two hosts, of which `alpha` has a logical volume that is full of a filesystem. */
export function plain(): ReturnType<typeof two> {
  const hosts = two();
  filled(hosts.alpha);
  return hosts;
}

export function filled({ admin }: SimulatedHost): void {
  admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 17 });
  admin.format('/dev/vg0/web1', ext4);
}

/** Nothing of DRBD comes through between them, as behind a firewall. */
export function unplug({ alpha, there }: Pick<ReturnType<typeof two>, 'alpha' | 'there'>): void {
  linkDrbd(alpha.world, there.host().world, () => false);
}

/** The same with the resource web1 on both, up to date. */
export async function made(more: Partial<CreateRequest> = {}): Promise<ReturnType<typeof two>> {
  const hosts = two();
  await create(hosts.here, more);
  return hosts;
}

/** `alpha` and `gamma`, known by that name, have the resource web1, which is primary on alpha and has a filesystem; `there` has nothing of it. */
export function three(beta = ground('beta', '10.0.0.2')) {
  const [alpha, gamma] = [ground('alpha', '10.0.0.1'), ground('gamma', '10.0.0.3')];
  const hosts = { ...simulatedPair({ here: alpha, there: beta, others: { gamma } }), alpha };
  for (const { admin } of [alpha, gamma]) {
    admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 17 });
    admin.drbdMetadata('/dev/vg0/web1', '5e1f000000000001', 'UpToDate');
    admin.writeFile('/etc/drbd.d/web1.res', withGamma);
    admin.drbdadm('up', 'web1');
  }
  alpha.admin.drbdadm('primary', 'web1');
  alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16384 });
  return hosts;
}

/** With a remark, and an option that bofh would not write. */
export const withGamma = `# by hand
resource web1 {
  net { protocol C; max-buffers 8000; }
  on alpha {
    device minor 0;
    disk /dev/vg0/web1;
    meta-disk internal;
    address ipv4 10.0.0.1:7788;
  }
  on gamma {
    device minor 0;
    disk "/dev/vg0/web1"; # the same
    meta-disk internal;
    address 10.0.0.3:7788;
  }
}
`;

/** Where it is not to have been touched. */
export const both = ({ alpha, there }: ReturnType<typeof two>): readonly string[] => [
  alpha.snapshot(),
  there.host().snapshot(),
];

/** What a recipe refuses, with both hosts as they were. */
export async function refusal(
  hosts: ReturnType<typeof two>,
  act: () => Promise<unknown>,
): Promise<BofhError> {
  const before = both(hosts);
  const error: unknown = await withBofh(hosts.here, act).catch((each: unknown) => each);
  expect(both(hosts)).toEqual(before);
  expect(hosts.there.reserved()).toEqual([]);
  if (!(error instanceof BofhError)) throw error;
  return error;
}

/** As an administrator has configured one: port 7788 and minor 0, and so on. */
export function resourceOf(name: string, at: number): string {
  const host = (on: string, address: string): string =>
    `  on ${on} {\n    device minor ${String(at)};\n    disk /dev/vg0/${name};\n    meta-disk internal;\n    address ipv4 ${address}:${String(7788 + at)};\n  }\n`;
  return `resource ${name} {\n${host('alpha', '10.0.0.1')}${host('beta', '10.0.0.2')}}\n`;
}
