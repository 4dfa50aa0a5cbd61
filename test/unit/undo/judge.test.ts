import { describe, expect, it } from 'vitest';
import { StuckError } from '../../../src/core/errors.ts';
import { differences, notNamed } from '../../../src/simulator/matrix/judge.ts';

// A judge that forgives too much would make the whole matrix green.
describe('the names in a stuck journal', () => {
  const error = (...objects: readonly string[]): StuckError =>
    new StuckError('stuck', {
      id: 'ID',
      committed: false,
      blocked: [{ n: 1, kind: 'any', objects: [...objects] }],
    });
  const hidden = (line: string, ...objects: readonly string[]): number =>
    notNamed({ base: 'same', now: `same\n${line}` }, error(...objects), new Set()).length;

  it('are its objects, their content, and objects with its tag', () => {
    expect(hidden('lv vg0/web1-root active', 'lv:vg0/web1-root')).toBe(0);
    expect(hidden('now vg0/web1-root "/etc" directory 0755', 'lv:vg0/web1-root')).toBe(0);
    expect(hidden('now vda "/etc/xen/web1.cfg" file', 'file:/etc/xen/web1.cfg')).toBe(0);
    expect(hidden('lv vg0/bofh_gone_ID_N inactive', 'lv:vg0/web1-root')).toBe(0);
  });

  it('exclude objects of a similar name', () => {
    expect(hidden('lv vg0/web1-root2 active', 'lv:vg0/web1-root')).toBe(1);
    expect(hidden('lv vg0/xweb1-root active', 'lv:vg0/web1-root')).toBe(1);
    expect(hidden('now vda "/etc/xen/web1.cfg.bak" file', 'file:/etc/xen/web1.cfg')).toBe(1);
    expect(hidden('domain web10 UUID running', 'dom:web1')).toBe(1);
    expect(hidden('anything at all', 'dom:web1')).toBe(1);
  });

  it('include each line that only one state has, also one of two equal ones', () => {
    expect(differences('a\nb\nb', 'b\nc')).toEqual(['- a', '- b', '+ c']);
  });
});
