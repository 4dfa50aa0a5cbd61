import { deserialize, serialize } from 'node:v8';
import { expect, test } from 'vitest';
import { answered, askedOf } from '../../../src/cli/plan/ask-hosts.ts';
import { answerTo } from '../../../src/cli/plan/plan-script.ts';
import type { DryQuestion } from '../../../src/cli/plan/protocol.ts';
import { type ReadCommand, Secret, stderrAlone } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';
import { visudo } from '../../../src/provision/sudoers.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const secret: ReadCommand<string> = {
  ...{ tool: 'cat', argv: ['/etc/key'], access: 'read', shownOf: stderrAlone },
  parse: ({ stdout }) => stdout,
};
const reply = (answer: { readonly exitCode: number; readonly stdout: string; readonly stderr: string }) => ({
  ...{ to: 1, answer },
});

test('a failure of a program in a dry run of a script shows no secret', async () => {
  const failed = reply({ exitCode: 1, stdout: 'geheim', stderr: '' });

  const error = await rejectionOf(answered('', secret, failed));

  expect(error).toBeInstanceOf(CommandError);
  expect(error).toMatchObject({ stdout: '', message: expect.not.stringContaining('geheim') as string });
});

test('a program that was killed shows no secret either', async () => {
  const host = simulatedHost();
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
  host.fault({ tool: 'cat', access: 'read', mode: 'acts then killed' });
  const asked = { ask: 1, on: '', what: 'run', tool: 'cat', argv: ['/etc/key'], isSecret: true } as const;

  expect(JSON.stringify(await answerTo(simulatedBofh({ host }), asked))).not.toContain('geheim');
});

test('a program in a dry run of a script reads its stdin', async () => {
  const wrong = visudo(Buffer.from('a ALL=(ALL) ALL\nb ALL ALL\n'));
  const right = visudo(Buffer.from('a ALL=(ALL) ALL\n'));
  const bofh = simulatedBofh({ host: simulatedHost() });
  const run = async (command: ReadCommand<void>): Promise<void> => {
    const sent = deserialize(serialize({ ask: 1, on: '', ...askedOf(command) })) as DryQuestion;
    return answered('', command, await answerTo(bofh, sent));
  };

  await run(right);
  await run({ ...right, stdin: new Secret('a ALL=(ALL) ALL\n') });
  expect(await rejectionOf(run(wrong))).toMatchObject({ exitCode: 1 });
});

test('an answer without permission is an error, as on a host', async () => {
  const denied = reply({ exitCode: 0, stdout: '', stderr: 'blkid: Permission denied' });
  const parse = (): never => {
    throw new TypeError('it is empty');
  };

  expect(await rejectionOf(answered('', { ...secret, parse }, denied))).toMatchObject({ reason: 'denied' });
});
