import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { hostWithSource } from '../simulator/support.ts';
import { changingVerbs, madeLines, plannedLines, typed } from '../plan/support.ts';
import { create, does, fails, withGuest } from './support.ts';

/** Hosts on which a command line is refused, each for another reason. */
const refused: readonly (readonly [why: string, line: string, host: () => Promise<SimulatedHost>])[] = [
  ['the guest is there', create, withGuest],
  ['the volume group is full', create.replace('64m', '900g'), async () => hostWithSource()],
  ['the guest runs', 'vm remove web1', withGuest],
  ['there is no such guest', 'xen start nobody', async () => hostWithSource()],
  [
    'a disk is mounted',
    'vm remove web1',
    async () => {
      const host = await withGuest();
      host.admin.destroyDomain('web1');
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      return host;
    },
  ],
];

describe('the dry run is wrong or missing', () => {
  it('not missing: every verb that changes the host has one without a change', async () => {
    const verbs = await changingVerbs();
    expect(verbs.length).toBeGreaterThan(5);

    for (const verb of verbs.filter((each) => each !== 'run')) {
      const host = await withGuest();
      const [changes, points] = [host.changes.length, host.points.length];
      const words = verb.startsWith('vm create') ? create.replace('web1', 'web2') : verb;
      const named = /^(?:xen start|vm remove)$/.test(verb) ? [verb, 'web1'].join(' ') : words;

      await typed(host, ['--dry-run', ...named.split(' ')]).catch(() => undefined);

      expect(host.changes.length, verb).toBe(changes);
      expect(host.points.length, verb).toBe(points);
    }
  });

  it.each(refused)(
    'not wrong: when %s it refuses like the run, with the same message',
    async (_why, line, start) => {
      const planned = await fails(await start(), `--dry-run ${line}`);
      const run = await fails(await start(), line);

      expect(planned.failed).toBe(run.failed);
      expect(planned.next).toBe(run.next);
      expect(planned.exitCode).toBe(run.exitCode);
    },
  );

  it('not wrong: after a change by others it is a new plan, and again that of the run', async () => {
    const host = await withGuest();
    const first = await plannedLines(host, ['vm', 'remove', 'web1', '--force-off']);
    host.admin.destroyDomain('web1');
    const second = await plannedLines(host, ['vm', 'remove', 'web1']);

    expect(second).not.toEqual(first);
    expect(await madeLines(host, ['vm', 'remove', 'web1'])).toEqual(second);
    await does(host, create);
  });
});
