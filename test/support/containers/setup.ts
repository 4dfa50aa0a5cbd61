import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { builtCommand } from '../../unit/cli/support/built.ts';
import { debianTar, withSystemd } from '../dom0/debian-root.ts';
import { startDocker } from './docker.ts';
import { type Containers, type Release, releases } from './releases.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly containers: Containers;
  }
}

/** Once for all files of the project: a daemon, and an image of each release. Returns what ends them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const skipped = whyNot();
  if (skipped !== undefined) {
    if (process.env['BOFH_REQUIRE'] === 'all') throw new Error(skipped);
    project.provide('containers', { skipped });
    return () => Promise.resolve();
  }
  removeLeftovers();
  const at = join(parent, `bofh-containers-${String(process.pid)}`);
  const [docker, bofh, ...tars] = await Promise.all([
    startDocker(at),
    builtCommand(),
    ...releases.map(({ suite }) => debianTar({ packages: withSystemd, suite })),
  ]);
  const imported = await Promise.all(
    releases.map(async ({ suite }, index) => [suite, await docker.run('import', tars[index] ?? '')]),
  );
  const images = Object.fromEntries(imported) as Record<Release['suite'], string>;
  const units = join(import.meta.dirname, '../../../systemd');
  const volumes = [
    ...[`${dirname(bofh)}:/usr/lib/bofh/dist`, `${units}:/usr/lib/bofh/systemd`],
    `${realpathSync(process.execPath)}:/usr/bin/node`,
  ];
  project.provide('containers', { host: docker.host, images, volumes });
  return async () => {
    await docker.stop();
    rmSync(at, { recursive: true, force: true });
  };
}

/** Not in /tmp, which may be in memory. */
const parent = '/var/tmp';

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  const missing = ['docker', 'dockerd', 'mmdebstrap'].filter(
    (name) => spawnSync(name, ['--version']).status !== 0,
  );
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

/** What a run that was killed left. Its mounts ended with it. */
function removeLeftovers(): void {
  for (const name of readdirSync(parent)) {
    const pid = /^bofh-containers-(?<pid>\d+)$/.exec(name)?.groups?.pid;
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(parent, name), { recursive: true, force: true });
  }
}
