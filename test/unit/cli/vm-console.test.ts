import { expect, test } from 'vitest';
import type { BofhError } from '../../../src/core/errors.ts';

import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource, vmCreate } from '../simulator/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

test.each([
  ['on another host', { host: 'dom1' }, ['x'], 'ssh -t dom1 xl console web1'],
  ['with --json', { json: true }, ['x'], 'leave out --json'],
  ['without a terminal', {}, [], '/var/log/xen/console/guest-web1.log if xenconsoled runs with --log=guest'],
  ['of a guest that is off', {}, ['x'], 'bofh vm start web1'],
])('bofh vm console %s is refused, and says what to type', async (_, options, answers, next) => {
  const bofh = bofhOn(hostWithSource());
  await vmCreate(bofh, { start: false });
  const { runtime } = testRuntime(bofh, options, answers);

  const error = (await rejectionOf(runVerb(runtime, 'vm console web1'))) as BofhError;

  expect(error.remedy).toContain(next);
});
