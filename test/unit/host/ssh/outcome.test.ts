import { describe, expect, test } from 'vitest';
import type { End } from '../../../../src/host/program.ts';
import { outcomeOf } from '../../../../src/host/ssh/session.ts';

const exit = (exitCode: number): End => ({ how: 'exit', exitCode });
const came = (stdout: string | Uint8Array, stderr: string, end: End = exit(0)) =>
  outcomeOf('mark', { end, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) });
const ended = (exitCode: number, stdout: string, stderr: string) => ({
  how: 'ended',
  exitCode,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from(stderr),
});

describe('the answer of another host', () => {
  test('is the exact output of the program, and its exit code', () => {
    expect(came('mark\n a\n\n', 'mark\nwarning\n\nmark 3\n')).toEqual(ended(3, ' a\n\n', 'warning\n'));
  });

  test('may lack a newline at its end', () => {
    expect(came('mark\na', 'mark\nb\nmark 0\n')).toEqual(ended(0, 'a', 'b'));
    expect(came('mark\n', 'mark\n\nmark 0\n')).toEqual(ended(0, '', ''));
  });

  test('excludes output of the login shell', () => {
    expect(came('welcome\nmark\na', 'rc: no\nmark\nb\nmark 0\n')).toEqual(ended(0, 'a', 'b'));
  });

  test('may contain the marker, as /proc/PID/cmdline does', () => {
    expect(came('mark\nx mark\n', 'mark\nmark 7 \n\nmark 0\n')).toEqual(ended(0, 'x mark\n', 'mark 7 \n'));
  });

  test('keeps bytes that are no text', () => {
    const bytes = Buffer.from([0x6d, 0x61, 0x72, 0x6b, 0x0a, 0xff, 0x00, 0xfe]);
    const outcome = came(bytes, 'mark\n\nmark 0\n');

    expect(outcome).toMatchObject({ stdout: Buffer.from([0xff, 0x00, 0xfe]) });
  });

  test('may have exit code 255, distinct from that of ssh', () => {
    expect(came('mark\n', 'mark\n\nmark 255\n')).toEqual(ended(255, '', ''));
    expect(came('mark\n', 'mark\n\nmark 255\n', exit(255))).toEqual({ how: 'lost' });
  });

  test('is discarded when ssh failed, even if it looks complete', () => {
    expect(came('mark\na', 'mark\n\nmark 0\n', exit(255))).toEqual({ how: 'lost' });
    expect(came('mark\na', 'mark\n\nmark 0\n', { how: 'signal', signal: 'SIGKILL' })).toEqual({
      how: 'lost',
    });
  });

  test('is discarded without an exit code at its end', () => {
    expect(came('mark\na', 'mark\nb')).toEqual({ how: 'lost' });
    expect(came('mark\na', 'mark\nb\nmark 1')).toEqual({ how: 'lost' });
    expect(came('mark\na', '')).toEqual({ how: 'lost' });
  });

  test('is missing when the server opens no session, or the login shell fails', () => {
    const refused = 'mux_client_request_session: session request failed: Session open refused by peer\n';

    expect(came('', refused, exit(255))).toEqual({ how: 'full' });
    expect(came('', 'sudo: a password is required\n', exit(1))).toEqual({
      how: 'not-begun',
      said: 'sudo: a password is required',
      exitCode: 1,
    });
  });
});
