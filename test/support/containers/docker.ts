import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runProgram, startGuarded, until } from '../rig/process.ts';

/** How a script in a container or a root ended. */
export interface Said {
  readonly exitCode: number | null;
  /** stdout and stderr. */
  readonly text: string;
}

/** A Docker daemon of our own: its directory, its socket, and no network of its own. */
export interface Docker {
  /** Runs a command of docker; returns what it printed. */
  readonly run: (...argv: readonly string[]) => Promise<string>;
  readonly host: string;
}

/** The daemon with that socket. */
export function dockerAt(host: string): Docker {
  const run: Docker['run'] = async (...words) => {
    const argv = ['docker', '--host', host, ...words];
    return (await mustRun({ argv, timeoutMs: 600_000 })).stdout.toString().trim();
  };
  return { host, run };
}

/** Starts a daemon that keeps everything in a directory. */
export async function startDocker(at: string): Promise<Docker & { readonly stop: () => Promise<void> }> {
  mkdirSync(at, { recursive: true });
  const host = `unix://${join(at, 'socket')}`;
  const log = openSync(join(at, 'log'), 'w');
  const places = [
    '--data-root',
    join(at, 'data'),
    '--exec-root',
    join(at, 'exec'),
    '--pidfile',
    join(at, 'pid'),
  ];
  // On overlayfs the first hard link to a file of the image changes its inode and its time of birth.
  const storage = ['--storage-driver', 'vfs'];
  // The containers use the network of the machine: no bridge and no rule of a firewall stays behind.
  const network = ['--bridge', 'none', '--iptables=false', '--ip6tables=false'];
  // Its mounts are its own, and no container outlives it, however it ends.
  const own = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const daemon = startGuarded({
    argv: [...own, 'dockerd', '--host', host, ...places, ...storage, ...network],
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(daemon, 'exit');
  await until({
    what: 'the Docker daemon answers',
    timeoutMs: 300_000,
    everyMs: 500,
    probe: async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null)
        throw new Error(`dockerd ended: ${readFileSync(join(at, 'log'), 'utf8').slice(-2000)}`);
      const { exitCode } = await runProgram({ argv: ['docker', '--host', host, 'info'] });
      return exitCode === 0 ? true : undefined;
    },
  });
  return {
    ...dockerAt(host),
    stop: async () => {
      const pid = String(daemon.pid);
      process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM');
      await ended;
    },
  };
}

/** A host on which a test runs scripts. */
export interface Shell {
  /** Runs a shell script in it. */
  readonly run: (script: string) => Promise<Said>;
  /** As `run`, but it must succeed; returns what it printed. */
  readonly must: (script: string) => Promise<string>;
  /** Writes a file. */
  readonly put: (path: string, content: string) => Promise<void>;
}

/** A container whose process 1 is systemd. */
export interface Machine extends Shell {
  readonly boot: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/**
 * Boots a Debian from an image. Not privileged: systemd needs CAP_SYS_ADMIN, and the control groups.
 */
export async function bootDebian(
  docker: Docker,
  of: {
    readonly image: string;
    /** As for `--volume` of docker-run(1), read-only. */
    readonly volumes: readonly string[];
    /** The network of this machine, or only a loopback interface. */
    readonly network: 'host' | 'none';
  },
): Promise<Machine> {
  const id = await docker.run(
    ...['run', '--detach', '--network', of.network, '--cap-add', 'SYS_ADMIN'],
    // Only of a network of its own.
    ...(of.network === 'none' ? ['--cap-add', 'NET_ADMIN'] : []),
    ...['--security-opt', 'apparmor=unconfined', '--cgroupns', 'host'],
    ...['--volume', '/sys/fs/cgroup:/sys/fs/cgroup:rw'],
    ...of.volumes.flatMap((volume) => ['--volume', `${volume}:ro`]),
    ...['--tmpfs', '/run', '--tmpfs', '/run/lock', '--tmpfs', '/tmp:exec', '--env', 'container=docker'],
    ...['--stop-signal', 'SIGRTMIN+3', '--stop-timeout', '60', of.image, '/sbin/init'],
  );
  const execute = async (script: string, stdin = ''): Promise<Said> => {
    const enter = ['exec', '--interactive', id, 'sh', '-ec', `exec 2>&1; ${script}`];
    const argv = ['docker', '--host', docker.host, ...enter];
    const { exitCode, stdout, stderr } = await runProgram({ argv, stdin, timeoutMs: 900_000 });
    return { exitCode, text: stdout.toString() + stderr.toString() };
  };
  const run = (script: string): Promise<Said> => execute(script);
  const must = async (script: string, stdin?: string): Promise<string> => {
    const { exitCode, text } = await execute(script, stdin);
    if (exitCode !== 0) throw new Error(`${script}: exit ${String(exitCode)}\n${text}`);
    return text;
  };
  const isUp = async (): Promise<true | undefined> =>
    /^(?:running|degraded)$/m.test((await run('systemctl is-system-running || :')).text) ? true : undefined;
  const booted = (): Promise<true> =>
    until({ what: 'systemd has booted', timeoutMs: 300_000, everyMs: 500, probe: isUp });
  await booted();
  return {
    run,
    must: (script) => must(script),
    put: async (path, content) => {
      await must(`cat >'${path}'`, content);
    },
    boot: async () => {
      await docker.run('restart', id);
      await booted();
    },
    remove: async () => {
      await docker.run('rm', '--force', '--volumes', id);
    },
  };
}
