import { expect, it } from 'vitest';
import { unparsed } from '../../../src/command/index.ts';
import { understood } from '../../../src/simulator/run.ts';

const of = { answer: 'the output of blkid /dev/sr0', stdout: 'geheim', cause: new Error('what is geheim?') };

it('shows the reason and the start of an output, and keeps the error of the parser as its cause', () => {
  const error = unparsed({}, of);

  expect(error.message).toBe(`${of.answer} could not be parsed: what is geheim?; it begins "geheim"`);
  expect(error.cause).toBe(of.cause);
});

it('shows nothing of an output that can hold a secret, on the simulated host too', () => {
  const shownOf = (): string => '';
  const parse = (): never => {
    throw of.cause;
  };
  const error: unknown = (() => {
    try {
      return understood(
        { tool: 'drbdadm', argv: ['dump-xml'], access: 'read', parse, shownOf },
        { exitCode: 0, stdout: of.stdout, stderr: '' },
      );
    } catch (thrown) {
      return thrown;
    }
  })();

  for (const each of [error, unparsed({ shownOf }, of)]) {
    expect(String(each)).toContain('it is not shown, because it can hold a secret');
    expect(String(each)).not.toContain('geheim');
    expect(each).not.toHaveProperty('cause', expect.anything());
  }
});
