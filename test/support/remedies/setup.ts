import { appendFileSync } from 'node:fs';
import { afterEach } from 'vitest';
import { typed } from '../../unit/plan/support.ts';
import { madeErrors, pending } from './carry-out.ts';

const to = process.env['BOFH_REMEDIES'] ?? '';

afterEach(async () => {
  await pending(typed);
  const lines = madeErrors().map((each) => `${JSON.stringify(each)}\n`);
  if (lines.length > 0) appendFileSync(`${to}.made`, lines.join(''));
}, 600_000);
