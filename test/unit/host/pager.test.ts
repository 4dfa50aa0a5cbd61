import { expect, it } from 'vitest';
import { page } from '../../../src/host/pager.ts';

it.each([
  ['ends before it read everything', 'true', true],
  ['fails', 'false', true],
  ['is a shell command', 'exec true -', true],
  ['is not there', '/nonexistent/pager', false],
  ['is not there, in a shell command', 'exec /nonexistent/pager - 2>/dev/null', false],
  ['is no program', '/etc/passwd', false],
])('a pager that %s', async (_what, pager, hasStarted) => {
  // More than a pipe holds.
  expect(await page('line\n'.repeat(200_000), pager)).toBe(hasStarted);
});
