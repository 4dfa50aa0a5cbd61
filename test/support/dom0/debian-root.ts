import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { cachedFolder, cacheDir } from '../rig/cache.ts';
import { mustRun } from '../rig/process.ts';

/** What the hosts in containers have besides a minimal Debian: one root for all who need some of it. */
export const withSystemd =
  'systemd-sysv,dbus,openssh-server,iproute2,procps,cron,dpkg-dev,dpkg-repack,sudo,acl,attr,libcap2-bin,locales,kmod';

/** A root filesystem of Debian as `root.tar.gz`, made once. */
export async function debianTar(of: {
  readonly packages: string;
  /** (default: bookworm) */
  readonly suite?: string;
  /** Further options of mmdebstrap(1). */
  readonly options?: readonly string[];
}): Promise<string> {
  const { packages, suite = 'bookworm', options = [] } = of;
  const key = createHash('sha256')
    .update(JSON.stringify([packages, options]))
    .digest('hex')
    .slice(0, 16);
  const folder = await cachedFolder({
    path: join(cacheDir(), `root-${suite}-${key}`),
    build: async (partial) => {
      const tar = join(partial, 'root.tar');
      const make = ['mmdebstrap', '--variant=minbase', `--include=${packages}`, ...options, suite, tar];
      for (const argv of [make, ['gzip', '-1', tar]]) await mustRun({ argv, timeoutMs: 600_000 });
    },
  });
  return join(folder, 'root.tar.gz');
}
