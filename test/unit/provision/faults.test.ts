import { expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { defineHost, provision as api, recover } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { sampled } from '../../support/sampled.ts';

const description = defineHost((h) => {
  h.directory('/srv/new', { owner: 33, mode: 0o750, xattrs: { 'user.note': 'x' } });
  h.directory('/srv/there', { mode: 0o700, acl: ['user:33:rx'], defaultAcl: ['user:33:rwx'] });
  h.file('/srv/there/a', { content: 'new\n', owner: 33, mode: 0o640, acl: ['group:33:r'] });
  h.file('/srv/b', { content: 'new\n', group: 33, mode: 0o604, acl: [], xattrs: { 'user.old': null } });
  h.file('/srv/acl', {
    ...{ content: 'same\n', mode: 0o2640, acl: ['user:8:r', 'mask::rw'] },
    xattrs: { 'user.old': null, 'user.note': 'new' },
  });
  h.link('/srv/link', { to: 'b' });
  h.lines('/srv/lines', { present: ['two'] });
  h.absent('/srv/old');
  h.absent('/srv/empty');
});

const acl = 'user::rw-,user:7:rwx,group::---,mask::rwx,other::---';

function before(): SimulatedHost {
  const host = simulatedHost();
  const { admin } = host;
  admin.mkdir('/srv/there');
  admin.mkdir('/srv/empty');
  admin.writeFile('/srv/b', 'old\n', 0o600);
  admin.setAcl('/srv/b', acl);
  admin.setXattr('/srv/b', 'user.old', 'old');
  admin.writeFile('/srv/acl', 'same\n');
  admin.setAcl('/srv/acl', acl);
  admin.setXattr('/srv/acl', 'user.old', 'old');
  admin.setXattr('/srv/acl', 'user.note', 'old');
  admin.writeFile('/srv/lines', 'one\n');
  admin.writeFile('/srv/old', 'old\n');
  admin.symlink('/srv/link', 'a');
  return host;
}

const apply = (host: SimulatedHost): Promise<unknown> =>
  withBofh(simulatedBofh({ host }), () => api.apply(description));
const recovered = (host: SimulatedHost): Promise<unknown> =>
  withBofh(simulatedBofh({ host }), () => recover());

const start = before();
const [asBefore, points, asDescribed] = await (async () => {
  const host = fork(start);
  await apply(host);
  return [
    start.snapshot(),
    host.points.filter(({ access }) => access === 'change'),
    host.snapshot(),
  ] as const;
})();

const modes = ['fails before', 'acts then fails', 'crash here', 'acts then crash'] as const;

it.each(modes)(
  '%s at each change: the host is as before or as described',
  { timeout: 300_000 },
  async (mode) => {
    expect(points.length).toBeGreaterThan(60);
    const wrong: string[] = [];
    for (const cut of mode.includes('crash') ? (['kill', 'none', 'all'] as const) : (['kill'] as const))
      for (const tool of [
        'store',
        'file',
        'mv',
        'cp',
        'ln',
        'chown',
        'chmod',
        'setfacl',
        'setfattr',
      ] as const) {
        const times = points.filter((point) => point.tool === tool).length;
        expect(times).toBeGreaterThan(0);
        const all = Array.from({ length: times }, (_, index) => index + 1);
        for (const nth of sampled(all, `${mode} ${cut} ${tool}`)) {
          const host = fork(start);
          host.fault({ tool, nth, mode });
          const failed = await apply(host).then(
            () => false,
            () => true,
          );
          host.clearFaults();
          const next = cut === 'kill' ? host.restart() : host.powerCut({ keep: cut });
          await recovered(next);
          const state = next.snapshot();
          if (state !== asBefore && state !== asDescribed)
            wrong.push(`${tool} ${String(nth)} ${cut}: ${failed ? 'failed' : 'succeeded'}`);
        }
      }
    expect(wrong).toEqual([]);
  },
);
