import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { specimens } from '../../support/undo/specimens.ts';
import { neighbourhood } from '../../support/undo/stage.ts';

const path = '/etc/bofh/roles.d/web';

it.each<readonly [string, (host: SimulatedHost) => void, string]>([
  ['is missing', (host) => host.admin.removeFile(path), `there is no file ${path}`],
  ['cannot be executed', (host) => host.admin.writeFile(path, 'x', 0o644), `${path} is not executable`],
  ['another user can change', (host) => host.admin.chown(path, 33), 'another user could'],
])('a script that %s is refused, and all before it is undone', async (_, spoil, why) => {
  const host = neighbourhood();
  const act = specimens.copy.script[0].stage(host);
  spoil(host);
  const before = host.snapshot();

  const refused = await rejectionOf(withBofh(simulatedBofh({ host }), () => atomic('test', act)));

  expect(String(refused)).toContain(why);
  expect(host.snapshot()).toBe(before);
});
