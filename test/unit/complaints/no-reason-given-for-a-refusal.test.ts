import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { hostWithSource } from '../simulator/support.ts';
import { create, fails, withGuest } from './support.ts';

const source = join(import.meta.dirname, '../../../src');

/** `file:line` of each `new RefusedError` in the code, and whether it says what to do. */
function refusals(): readonly { readonly at: string; readonly remedy: boolean }[] {
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return names.flatMap((name) => {
    const text = readFileSync(join(source, name), 'utf8');
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
    const found: { at: string; remedy: boolean }[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isNewExpression(node) && node.expression.getText() === 'RefusedError') {
        const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        const options = node.arguments?.[1];
        // Options that are a value of their own were put together elsewhere.
        const remedy =
          options !== undefined &&
          (!ts.isObjectLiteralExpression(options) || /\bremedy\b/i.test(options.getText()));
        found.push({ at: `${name}:${String(line)}`, remedy });
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
    return found;
  });
}

type Arrange = (host: SimulatedHost) => void;
const asIs: Arrange = () => undefined;
const stopped: Arrange = (host) => host.admin.destroyDomain('web1');

/** A refusal as a person reads it: the thing and why, who holds it, and what to run. */
interface Row {
  readonly when: string;
  readonly arrange: Arrange;
  readonly line: string;
  readonly says: readonly RegExp[];
  readonly next: RegExp;
}

const rows: readonly Row[] = [
  {
    when: 'a disk of the guest is mounted',
    arrange: (host) => {
      stopped(host);
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
    },
    line: 'vm remove web1',
    says: [/vg0\/web1-root/, /in use/, /\/mnt/],
    next: /\S/,
  },
  {
    when: 'a disk of the guest is swap',
    arrange: (host) => {
      stopped(host);
      host.admin.swapon('/dev/vg0/web1-swap');
    },
    line: 'vm remove web1',
    says: [/vg0\/web1-swap/, /in use/, /swap/],
    next: /\S/,
  },
  {
    when: 'a disk of the guest has a snapshot',
    arrange: (host) => {
      stopped(host);
      host.admin.snapshot({ vg: 'vg0', name: 'nightly', origin: 'web1-root', extents: 2 });
    },
    line: 'vm remove web1',
    says: [/vg0\/web1-root/, /nightly/],
    next: /bofh lvm remove vg0\/nightly/,
  },
  {
    when: 'the guest runs',
    arrange: asIs,
    line: 'vm remove web1',
    says: [/web1/, /domain \d+/],
    next: /--stop/,
  },
  {
    when: 'the guest crashed',
    arrange: (host) => host.admin.setDomain('web1', 'crashed'),
    line: 'vm remove web1 --stop',
    says: [/web1/, /crashed/],
    next: /xl destroy \d+/,
  },
  {
    when: 'there is no such guest',
    arrange: asIs,
    line: 'vm remove nobody',
    says: [/nobody/, /\/etc\/xen/],
    next: /vm list/,
  },
  {
    when: 'the guest is there already',
    arrange: asIs,
    line: create,
    says: [/web1-root already .*uuid/, /web1\.cfg exists already/],
    next: /./,
  },
  {
    when: 'there is no room',
    arrange: asIs,
    line: create.replaceAll('web1', 'web2').replace('64m', '900g'),
    says: [/vg0 has/, /are needed/],
    next: /lvm vg extend vg0/,
  },
  {
    when: 'there is no such volume group',
    arrange: asIs,
    line: `${create.replaceAll('web1', 'web2')} --vg vg7`,
    says: [/vg7/],
    next: /vg0/,
  },
  {
    when: 'there is no such bridge',
    arrange: asIs,
    line: `${create.replaceAll('web1', 'web2')} --bridge br7`,
    says: [/br7/],
    next: /bofh network list/,
  },
  {
    when: 'there is not the memory',
    arrange: asIs,
    line: `${create.replaceAll('web1', 'web2')} --memory 64g`,
    says: [/memory/i],
    next: /--memory/,
  },
];

describe('no reason given for a refusal', () => {
  it('each refusal in the code says what to do next', () => {
    const all = refusals();

    expect(all.length).toBeGreaterThan(60);
    expect(all.filter(({ remedy }) => !remedy).map(({ at }) => at)).toEqual([]);
  });

  it.each(rows)(
    'when $when it says what, why, who, and what to run',
    async ({ arrange, line, says, next }) => {
      const host = await withGuest();
      arrange(host);

      const told = await fails(host, line);

      const text = [told.failed, ...told.details].join('\n');
      for (const part of says) expect(text).toMatch(part);
      expect(told.exitCode).toBe(1);
      expect(told.host).toContain('unchanged');
      // Of several refusals each has its own beside it.
      expect(
        `${told.next ?? ''}\n${told.details.map((detail) => /\((?<next>.*)\)$/s.exec(detail)?.[0] ?? '').join('\n')}`,
      ).toMatch(next);
    },
  );

  it('several reasons are listed, each with its remedy', async () => {
    const host = hostWithSource();

    const { failed, details } = await fails(host, `${create} --bridge br7 --memory 64g`);

    expect(failed).toBe('refused for 2 reasons');
    expect(details.length).toBe(2);
    for (const detail of details) expect(detail).toMatch(/^- .+ \(.+\)$/);
  });
});
