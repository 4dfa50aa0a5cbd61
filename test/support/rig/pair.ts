import { randomBytes } from 'node:crypto';
import { freePorts, linkAddress } from './link.ts';
import { bootMachine, type Machine, type MachineOptions } from './machine.ts';
import { until } from './process.ts';

/** The requested two machines of a pair, both the same; `names` are their host names (default: `a` and `b`). */
export type PairOptions = Partial<Omit<MachineOptions, 'name' | 'link'>> & {
  readonly names?: readonly [string, string];
};

/** Two machines and a cable between them, which is eth1 of each. */
export type Pair = {
  /** 10.77.0.1 */
  readonly a: Machine;
  /** 10.77.0.2 */
  readonly b: Machine;
  /** Pulls the cable: no packet gets through, and each side notices only the state of its card. */
  readonly cutLink: () => Promise<void>;
  /** Plugs it in again. Where both run, each reaches the other one when this returns. */
  readonly mendLink: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/**
 * Starts two machines side by side, of one processor each and without Xen when nothing is said. Each knows the other by name, and
 * root of each may log in on the other with ssh. What a snapshot has given both (host key, volume group's UUID, the state of
 * the random numbers) is different.
 */
export async function bootPair(options: PairOptions = {}): Promise<Pair> {
  const { names = ['a', 'b'], ...each } = options;
  const { ports, release } = await freePorts();
  const boot = async (side: 1 | 2): Promise<Machine> => {
    const [port, peer] = side === 1 ? ports : [ports[1], ports[0]];
    return await bootMachine({
      ...{ hypervisor: 'none', cpus: 1 },
      ...each,
      name: names[side - 1] ?? '',
      link: { port, peer, side, names },
    });
  };
  const booting = [boot(1), boot(2)] as const;
  const close = async (): Promise<void> => {
    for (const one of await Promise.allSettled(booting))
      if (one.status === 'fulfilled') await one.value.close();
    release();
  };
  try {
    const [a, b] = await Promise.all(booting);
    await Promise.all([ownFaces(a), ownFaces(b)]);
    await Promise.all([logInto(a, b, 2), logInto(b, a, 1)]);
    await Promise.all([a.run('sync'), b.run('sync')]);
    const plug = async (state: 'in' | 'out'): Promise<void> => {
      await Promise.all([a.plug(state), b.plug(state)]);
    };
    const mendLink = async (): Promise<void> => {
      await plug('in');
      if (a.isOn && b.isOn) await Promise.all([reaches(a, b), reaches(b, a)]);
    };
    return { a, b, cutLink: () => plug('out'), mendLink, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/**
 * The kernel looks at a card's carrier once a second (linkwatch), and what it could not resolve meanwhile has failed for a
 * while (neighbour state FAILED).
 */
async function reaches(from: Machine, to: Machine): Promise<void> {
  await until({
    what: `${from.name} reaches ${to.name}`,
    timeoutMs: 60_000,
    everyMs: 200,
    probe: async () => {
      const tried = `ip neigh flush dev eth1; timeout 3 bash -c '</dev/tcp/${to.name}/22'`;
      return (await from.run(tried, { check: 'return' })).exitCode === 0 ? true : undefined;
    },
  });
}

/** RNDRESEEDCRNG of random(4): without it what was written to /dev/urandom counts after a minute only. */
const stir = `perl -e 'open(my $f, ">", "/dev/urandom") or die; syswrite($f, $ARGV[0]) or die; ioctl($f, 0x5207, 0) or die "$!"'`;

// The default exchange of keys takes the client 1.7 s of processor time under emulation (sntrup761 of OpenSSH 9.2), this one 0.5 s.
const quick = 'KexAlgorithms ecdh-sha2-nistp256\n';

/** What no two hosts have in common. */
async function ownFaces(machine: Machine): Promise<void> {
  const { disks } = machine.shape;
  const groups = disks.flatMap(({ volumeGroup }) => volumeGroup ?? []);
  await machine.run(
    [
      'set -e',
      `${stir} ${randomBytes(32).toString('hex')}`,
      'cd /etc/ssh; rm ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N "" -f ssh_host_ed25519_key',
      'kill -HUP "$(cat /run/sshd.pid)"',
      'ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519',
      ...groups.map((group) => `vgchange -qq --uuid ${group}; pvchange -qq --uuid --all`),
    ].join('\n'),
  );
}

/** Root of `from` may log in as root on `to`, whose host key it knows. */
async function logInto(from: Machine, to: Machine, side: 1 | 2): Promise<void> {
  const [{ stdout: user }, { stdout: host }] = await Promise.all([
    from.run('cat /root/.ssh/id_ed25519.pub'),
    to.run('cat /etc/ssh/ssh_host_ed25519_key.pub'),
  ]);
  await to.run('cat >> /root/.ssh/authorized_keys', { stdin: user });
  await from.run('cat >> /root/.ssh/known_hosts', { stdin: `${to.name},${linkAddress(side)} ${host}` });
  await from.putText('/root/.ssh/config', quick, 0o600);
}
