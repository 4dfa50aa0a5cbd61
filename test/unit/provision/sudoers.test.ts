import { expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { defineHost, provision as api, Secret } from '../../../src/index.ts';
import { visudo } from '../../../src/provision/sudoers.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { sudoersTool } from '../../../src/simulator/tools/file/visudo.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const versions = versionsOf('visudo/accepted');
const command = visudo(Buffer.from(''));

it.each(versions)('visudo %s: succeeds only with its exact sentence', (version) => {
  const accepted = recorded(`visudo/accepted@${version}`);
  expect(accepted.argv.slice(1)).toEqual(command.argv);
  expect(() => command.parse(accepted)).not.toThrow();
  expect(() => command.parse({ ...accepted, stdout: '' })).toThrow();
  const refused = recorded(`visudo/refused@${version}`);
  expect(refused.exitCode).toBe(1);
  expect(command.shownOf?.(refused.stderr)).toMatch(/^stdin:1:\d+: syntax error$/);
});

it('the simulated visudo prints what 1.9.13 prints', () => {
  const { world } = simulatedHost();
  const { exitCode, stdout, stderr, argv } = recorded('visudo/refused@1.9.13');
  const said = sudoersTool({ world, tool: 'visudo', argv: argv.slice(1), stdin: 'bogus line here\n' });
  expect(said).toEqual({ exitCode, stdout, stderr });
});

it('a wrong sudoers file is refused, without showing its content', async () => {
  const host = simulatedHost();
  host.admin.mkdir('/etc/sudoers.d');
  const apply = (content: string | Secret) =>
    withBofh(simulatedBofh({ host }), () =>
      api.apply(defineHost((h) => h.file('/etc/sudoers.d/web', { content }))),
    );
  const before = host.snapshot();
  const error = await rejectionOf(apply(new Secret('bogus line here\n')));
  expect(error).toBeInstanceOf(RefusedError);
  expect((error as Error).message).toContain(
    'visudo does not accept the content of /etc/sudoers.d/web: stdin:1:12:',
  );
  expect(String(error)).not.toContain('bogus');
  expect(host.snapshot()).toBe(before);
  expect(await apply('web ALL=(ALL) NOPASSWD: /bin/x\n')).toHaveLength(1);
  expect((await rejectionOf(apply('bogus line here\n'))) instanceof RefusedError).toBe(true);
});
