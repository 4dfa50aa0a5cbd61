import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, runProgram, startGuarded, until } from '../support/rig/process.ts';
import type { Said } from './support.ts';

/** A Docker daemon of our own: its directory, its socket, and no network of its own. */
export interface Docker {
  /** Runs a command of docker; returns what it printed. */
  readonly run: (...argv: readonly string[]) => Promise<string>;
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** Starts a daemon that keeps everything in a directory. */
export async function startDocker(at: string): Promise<Docker> {
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
  // The containers use the network of the machine: no bridge and no rule of a firewall stays behind.
  const network = ['--bridge', 'none', '--iptables=false', '--ip6tables=false'];
  // Its mounts are its own, and no container outlives it, however it ends.
  const own = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const daemon = startGuarded({
    argv: [...own, 'dockerd', '--host', host, ...places, ...network],
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(daemon, 'exit');
  const docker = ['docker', '--host', host];
  await until({
    what: 'the Docker daemon answers',
    timeoutMs: 60_000,
    everyMs: 500,
    probe: async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null)
        throw new Error(`dockerd ended: ${readFileSync(join(at, 'log'), 'utf8').slice(-2000)}`);
      const { exitCode } = await runProgram({ argv: [...docker, 'info'] });
      return exitCode === 0 ? true : undefined;
    },
  });
  return {
    host,
    run: async (...argv) =>
      (await mustRun({ argv: [...docker, ...argv], timeoutMs: 600_000 })).stdout.toString().trim(),
    stop: async () => {
      const pid = String(daemon.pid);
      process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM');
      await ended;
    },
  };
}

/** A container whose process 1 is systemd. */
export interface Machine {
  /** Runs a shell script in it. */
  readonly run: (script: string) => Promise<Said>;
  readonly boot: () => Promise<void>;
  /** Removes it, and its image. */
  readonly remove: () => Promise<void>;
}

/**
 * Boots a Debian from a tar archive, with a directory of this machine at the same path. Not
 * privileged: systemd needs CAP_SYS_ADMIN, and the control groups.
 */
export async function bootDebian(
  docker: Docker,
  { tar, directory }: { readonly tar: string; readonly directory: string },
): Promise<Machine> {
  const image = await docker.run('import', tar);
  const id = await docker.run(
    ...['run', '--detach', '--network', 'host', '--cap-add', 'SYS_ADMIN'],
    ...['--security-opt', 'apparmor=unconfined', '--cgroupns', 'host'],
    ...['--volume', '/sys/fs/cgroup:/sys/fs/cgroup:rw', '--volume', `${directory}:${directory}:ro`],
    ...['--tmpfs', '/run', '--tmpfs', '/run/lock', '--tmpfs', '/tmp', '--env', 'container=docker'],
    ...['--stop-signal', 'SIGRTMIN+3', '--stop-timeout', '60', image, '/sbin/init'],
  );
  const run = async (script: string): Promise<Said> => {
    const argv = ['docker', '--host', docker.host, 'exec', id, 'sh', '-ec', `exec 2>&1; ${script}`];
    const { exitCode, stdout, stderr } = await runProgram({ argv, timeoutMs: 900_000 });
    return { exitCode, text: stdout.toString() + stderr.toString() };
  };
  const isUp = async (): Promise<true | undefined> =>
    /^(?:running|degraded)$/m.test((await run('systemctl is-system-running || :')).text) ? true : undefined;
  const booted = (): Promise<true> =>
    until({ what: 'systemd has booted', timeoutMs: 120_000, everyMs: 500, probe: isUp });
  await booted();
  return {
    run,
    boot: async () => {
      await docker.run('restart', id);
      await booted();
    },
    remove: async () => {
      await docker.run('rm', '--force', '--volumes', id);
      await docker.run('rmi', image);
    },
  };
}
