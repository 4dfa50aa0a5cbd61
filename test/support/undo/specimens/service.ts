import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import type { Specimens } from '../specimens.ts';
import { noChange } from './no-program.ts';

const noContent = {
  'foreign content': 'a unit has no content that others could write to',
  'identity reused': 'another run of a unit is stopped, started or restarted like the first one',
} as const;

/** Another service is enabled in the same directory. */
function web(host: SimulatedHost, more = ''): void {
  const unit = (name: string, text: string): void =>
    host.admin.writeFile(`/etc/systemd/system/${name}`, text);
  unit('other.service', '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n');
  unit('web.socket', '[Socket]\nListenStream=/run/web.sock\n[Install]\nWantedBy=sockets.target\n');
  unit(
    'web.service',
    `[Service]\nExecStart=/usr/bin/web /etc/web.conf\nExecReload=/bin/true\n${more}[Install]\nWantedBy=multi-user.target\nAlias=www.service\nAlso=web.socket\n`,
  );
  host.admin.writeFile('/etc/web.conf', 'old\n');
  host.admin.systemctl('enable', 'other.service');
}

function running(host: SimulatedHost): void {
  web(host);
  host.admin.systemctl('start', 'web.service');
}

/** It runs with the old configuration. */
function outdated(host: SimulatedHost): void {
  running(host);
  host.admin.writeFile('/etc/web.conf', 'new\n');
}

const unit = 'web.service';

export const service: Specimens['service'] = {
  setEnablement: [
    {
      title: 'enabled',
      stage: (host) => {
        web(host);
        return (tx) => tx.service.setEnablement({ unit, enabled: true });
      },
      notApplicable: noContent,
    },
    {
      title: 'disabled, with links that an administrator created',
      stage: (host) => {
        web(host);
        host.admin.systemctl('enable', unit);
        host.admin.symlink('/etc/systemd/system/graphical.target.wants/web.service', '../web.service');
        return (tx) => tx.service.setEnablement({ unit, enabled: false });
      },
      notApplicable: noContent,
    },
  ],
  setActivity: [
    {
      title: 'started',
      stage: (host) => {
        web(host);
        return (tx) => tx.service.setActivity({ unit, running: true });
      },
      notApplicable: noContent,
    },
    {
      title: 'stopped',
      stage: (host) => {
        running(host);
        return (tx) => tx.service.setActivity({ unit, running: false });
      },
      notApplicable: noContent,
    },
  ],
  beforeChange: [
    {
      stage: (host) => {
        running(host);
        host.admin.systemctl('enable', unit);
        const files = ['/etc/web.conf'];
        return (tx) => tx.service.beforeChange({ unit, by: 'restart', files });
      },
      notApplicable: { ...noContent, ...noChange },
    },
  ],
  reload: [
    {
      title: 'restarted',
      stage: (host) => {
        outdated(host);
        return (tx) => tx.service.reload({ unit, by: 'restart' });
      },
      restored: (host) => host.admin.systemctl('restart', unit),
      notApplicable: noContent,
    },
    {
      title: 'reloaded',
      stage: (host) => {
        outdated(host);
        return (tx) => tx.service.reload({ unit, by: 'reload' });
      },
      restored: (host) => host.admin.systemctl('restart', unit),
      notApplicable: noContent,
    },
  ],
};
