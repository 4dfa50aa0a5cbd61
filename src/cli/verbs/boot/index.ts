import type { Noun } from '../../runtime/verb.ts';

export const boot: Noun = {
  summary: 'systemd units: recovery and start-all at boot',
  verbs: {
    install: ['write the systemd units; enable them with systemctl', () => import('./install.ts')],
    remove: [
      'remove the systemd units, which must be disabled before (systemctl disable)',
      () => import('./remove.ts'),
    ],
    status: ['show which units are installed and enabled', () => import('./status.ts')],
  },
};
