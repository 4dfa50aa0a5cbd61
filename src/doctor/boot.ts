import { namesIn, type ReadHost } from '../command/index.ts';
import { type Finding, finding } from './finding.ts';

const places = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

interface Unit {
  readonly name: string;
  readonly for: string;
  /**
   * The level of the finding if the unit is not enabled: with xendomains or libvirt, `start-all` is not
   * needed.
   */
  readonly level: 'ok' | 'warning';
  readonly otherwise: string;
}

const units: readonly Unit[] = [
  {
    name: 'bofh-recover.service',
    for: 'recovers interrupted sequences at boot',
    level: 'warning',
    otherwise: 'after a power cut nothing is undone until an administrator runs bofh recover',
  },
  {
    name: 'bofh-recover-hosts.service',
    for: 'recovers interrupted sequences with other hosts at boot, after the network is up',
    level: 'warning',
    otherwise:
      'after a power cut, sequences with other hosts are not undone until an administrator runs bofh recover',
  },
  {
    name: 'bofh-recover-unconfirmed.service',
    for: 'rolls back unconfirmed sequences at boot, before the network is up',
    level: 'warning',
    otherwise: 'after a reboot, unconfirmed sequences are rolled back later, only by bofh-recover.service',
  },
  {
    name: 'bofh-start-all.service',
    for: 'starts the guests at boot',
    level: 'ok',
    otherwise: 'bofh starts no guest at boot',
  },
];

/**
 * Checks whether the systemd units are installed and enabled, by their files and links, so systemd
 * need not run.
 */
export async function bootUnits(host: ReadHost): Promise<readonly Finding[]> {
  if ((await host.stat('/run/systemd/system')) === undefined) {
    const says =
      'this host is not run by systemd: make sure that bofh recover and bofh xen start-all run at boot';
    return [finding('boot', 'warning', says)];
  }
  return await Promise.all(units.map((unit) => unitOf(host, unit)));
}

async function unitOf(host: ReadHost, unit: Unit): Promise<Finding> {
  const { name } = unit;
  const installed = await isIn(host, places, name);
  const wants = (await namesIn(host, '/etc/systemd/system')).filter((each) =>
    /\.(?:wants|requires)$/.test(each),
  );
  const enabled = await isIn(
    host,
    wants.map((each) => `/etc/systemd/system/${each}`),
    name,
  );
  // systemctl mask keeps the links to the unit, and /run is empty again at boot.
  const mask = `/etc/systemd/system/${name}`;
  const isMasked = (await host.stat(mask))?.kind === 'symlink' && (await host.readLink(mask)) === '/dev/null';
  if (isMasked)
    return finding('boot', unit.level, `${name} is masked: ${unit.otherwise}`, [
      ['systemctl', 'unmask', name],
      ...(enabled ? [] : [['systemctl', 'enable', name]]),
    ]);
  if (installed && enabled) return finding('boot', 'ok', `${name} ${unit.for}`);
  const state = installed ? 'is not enabled' : 'is not installed';
  return finding('boot', unit.level, `${name} ${state}: ${unit.otherwise}`, [
    ...(installed ? [] : [['bofh', 'boot', 'install']]),
    ['systemctl', 'enable', name],
  ]);
}

async function isIn(host: ReadHost, directories: readonly string[], name: string): Promise<boolean> {
  for (const directory of directories)
    if ((await host.stat(`${directory}/${name}`)) !== undefined) return true;
  return false;
}
