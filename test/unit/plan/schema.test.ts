import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { parsePlan, plan } from '../../../src/api/plan.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { hostWithSource } from '../simulator/support.ts';
import { typed } from './support.ts';

const page = join(import.meta.dirname, '../../../docs/plan.md');
const block = /(?<=<!-- plan schema:[^\n]*\n)[^]*?(?=\n<!-- end -->)/;

describe('the JSON of a plan', () => {
  it('is documented in docs/plan.md (BOFH_WRITE_DOCS=1 writes it there)', () => {
    const said = ['```json', JSON.stringify(z.toJSONSchema(plan), null, 2), '```'].join('\n');
    const text = readFileSync(page, 'utf8');
    if (process.env['BOFH_WRITE_DOCS'] === '1')
      writeFileSync(
        page,
        text.replace(block, () => said),
      );

    expect(block.exec(readFileSync(page, 'utf8'))?.[0]).toBe(said);
  });

  const argv = [
    ...['--json', '--dry-run', 'vm', 'create', 'web1', '--source', 'tar:/srv/debian.tar', '--size', '64m'],
    ...['--kernel', '/boot/vmlinuz-6.1.0-18-amd64', '--ramdisk', '/boot/initrd.img-6.1.0-18-amd64'],
  ];
  const answer = async (): Promise<object> =>
    JSON.parse((await typed(hostWithSource(), argv)).stdout) as object;

  it('contains the request, and each program by its arguments', async () => {
    const { verb, format, steps } = plan.parse(await answer());

    expect([format, verb]).toEqual([1, 'vm create']);
    expect(steps[0]).toMatchObject({ n: 1, kind: 'lvm.lv.create', objects: ['lv:vg0/web1-root'] });
    expect(steps[0]?.changes[0]?.commands[0]?.slice(0, 3)).toEqual(['lvcreate', '--name', 'web1-root']);
  });

  it('has exactly the keys of the schema', async () => {
    const whole = await answer();

    for (const key of Object.keys(whole)) {
      const rest = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== key));
      expect(plan.safeParse(rest).success, `without ${key}`).toBe(false);
      expect(plan.safeParse({ ...whole, [key]: {} }).success, `a wrong ${key}`).toBe(false);
    }
    expect(plan.safeParse({ ...whole, more: 1 }).success).toBe(false);
  });

  it('is read by parsePlan, which refuses invalid ones', async () => {
    const whole = await answer();

    expect(parsePlan(JSON.stringify(whole))).toEqual(whole);
    expect(() => parsePlan(JSON.stringify({ ...whole, format: 2 }))).toThrow(ParseError);
    expect(() => parsePlan('{')).toThrow(ParseError);
  });
});
