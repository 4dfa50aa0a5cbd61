import { expect, test } from 'vitest';
import { errnoReason } from '../../../src/command/index.ts';

test.each([
  ["chmod: changing permissions of '/srv/a': No space left on device", 'no-space'],
  ["chown: changing ownership of '/srv/a': Disk quota exceeded", 'no-space'],
  ["chmod: cannot access '/srv/a': No such file or directory", 'not-found'],
  ["chmod: changing permissions of '/srv/a': Read-only file system", 'denied'],
  ["mv: cannot move '/srv/a' to '/srv/b': Device or resource busy", 'busy'],
  ["mkdir: cannot create directory '/srv/a': File exists", 'exists'],
  ["chmod: changing permissions of '/srv/a': Input/output error", 'unknown'],
])('%s: %s', (stderr, reason) => {
  expect(errnoReason({ stderr })).toBe(reason);
});
