import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../src/core/errors.ts';
import { sshHost } from '../../../../src/host/ssh/host.ts';
import { rejectionOf } from '../../../support/rejection.ts';

const to = (destination: string, options: Readonly<Record<string, string>> = {}) =>
  sshHost({ name: 'web1', destination, options });

describe('the destination of a host', () => {
  test.each(['web1', 'root@web1', 'ssh://root@[::1]:2222', 'admin@10.0.0.1'])(
    '%s is accepted',
    (destination) => {
      expect(to(destination).name).toBe('web1');
    },
  );

  test.each(['', '-oProxyCommand=id', 'web 1', 'web1\n', 'a\0b'])('%j is refused', (destination) => {
    expect(() => to(destination)).toThrow(UsageError);
  });

  test.each(['StrictHostKeyChecking', 'userknownhostsfile', 'NoHostAuthenticationForLocalhost'])(
    'refuses an option about trusted host keys: %s',
    (name) => {
      expect(() => to('web1', { [name]: 'no' })).toThrow(/which host keys are trusted/);
    },
  );

  // ssh_config(5): Host is compared with the name alone.
  test.each([
    ['web1', 'web1'],
    ['root@web1', 'web1'],
    ['ssh://root@web1:2222', 'web1'],
    ['ssh://[::1]:2222', '::1'],
  ])('names the block of ssh_config(5) that ssh uses for %s', (destination, host) => {
    expect(() => to(destination, { UserKnownHostsFile: '/x' })).toThrow(
      expect.objectContaining({ remedy: `write it into ~/.ssh/config under "Host ${host}"` }) as Error,
    );
  });

  test.each(['ControlPath', 'BatchMode', 'RemoteCommand'])('refuses an option of bofh: %s', (name) => {
    expect(() => to('web1', { [name]: 'x' })).toThrow(/chosen by bofh/);
  });

  test('an option is a word and one line', () => {
    expect(() => to('web1', { 'Port 1': '2' })).toThrow(/not an option of ssh/);
    expect(() => to('web1', { Port: '1\nHost *' })).toThrow(/not an option of ssh/);
    expect(to('web1', { Port: '2222' }).name).toBe('web1');
  });
});

describe('another host', () => {
  test('is not changed outside of a step, and no connection is opened to find that out', async () => {
    const host = to('web1');
    const change = { tool: 'lvcreate', argv: [], access: 'change', parse: () => undefined } as const;

    const unreserved = host.during({ outputs: '/x', lock: -1 });
    expect(await rejectionOf(unreserved.removeFile('/x'))).toMatchObject({ name: 'UsageError' });
    expect(await rejectionOf(host.run(change as never))).toMatchObject({ name: 'UsageError' });
  });
});
