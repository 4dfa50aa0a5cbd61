import { describe, expect, it } from 'vitest';
import { StuckError } from '../../../src/core/errors.ts';
import { differences, notNamed } from '../../../src/simulator/matrix/judge.ts';

// A judge that forgives too much would make the whole matrix green.
describe('what a stuck journal names', () => {
  const error = (...objects: readonly string[]): StuckError =>
    new StuckError('stuck', {
      id: 'ID',
      committed: false,
      blocked: [{ n: 1, kind: 'any', objects: [...objects] }],
    });
  const hidden = (line: string, ...objects: readonly string[]): number =>
    notNamed({ base: 'same', now: `same\n${line}` }, error(...objects), new Set()).length;

  it('is its objects, what lies in them, and what bears its mark', () => {
    expect(hidden('lv vg0/web1-root active', 'lv:vg0/web1-root')).toBe(0);
    expect(hidden('now vg0/web1-root "/etc" directory 0755', 'lv:vg0/web1-root')).toBe(0);
    expect(hidden('now vda "/etc/xen/web1.cfg" file', 'file:/etc/xen/web1.cfg')).toBe(0);
    expect(hidden('lv vg0/bofh_gone_ID_N inactive', 'lv:vg0/web1-root')).toBe(0);
  });

  it('is not what is only called alike', () => {
    expect(hidden('lv vg0/web1-root2 active', 'lv:vg0/web1-root')).toBe(1);
    expect(hidden('lv vg0/xweb1-root active', 'lv:vg0/web1-root')).toBe(1);
    expect(hidden('now vda "/etc/xen/web1.cfg.bak" file', 'file:/etc/xen/web1.cfg')).toBe(1);
    expect(hidden('domain web10 UUID running', 'dom:web1')).toBe(1);
    expect(hidden('anything at all', 'dom:web1')).toBe(1);
  });

  it('tells each line that only one state has, also one of two that are alike', () => {
    expect(differences('a\nb\nb', 'b\nc')).toEqual(['- a', '- b', '+ c']);
  });
});
