import { describe, expect, it } from 'vitest';
import { placesOf } from '../../../src/copy/archive.ts';
import type { Member } from '../../../src/copy/commands.ts';
import { UsageError } from '../../../src/core/errors.ts';

const file = (name: string): Member => ({ type: '-', name, bytes: 1 });
const dir = (name: string): Member => ({ type: 'd', name, bytes: 0 });
const link = (name: string, target: string): Member => ({ type: 'l', name, target, bytes: 0 });
const hard = (name: string, target: string): Member => ({ type: 'h', name, target, bytes: 0 });
const odd = (type: string): Member => ({ type, name: 'x', bytes: 0 });

describe('an archive that stays in its root', () => {
  it.each<[string, readonly Member[]]>([
    ['a root filesystem', [dir('./'), dir('./etc/'), file('./etc/hostname'), odd('c'), odd('b'), odd('p')]],
    [
      'absolute links through which nothing is written',
      [link('etc/mtab', '/proc/mounts'), link('var/run', '/run')],
    ],
    ['climbing links through which nothing is written', [link('a/b', '../../../x')]],
    ['a merged /usr', [dir('usr'), dir('usr/lib'), link('lib', 'usr/lib'), file('lib/x')]],
    ['a link to its own directory', [dir('d'), link('d/self', '.'), file('d/self/self/x')]],
    ['a hard link', [file('./a'), hard('b', 'a')]],
    ['a hard link to a link that leads out', [link('a', '/etc/passwd'), hard('b', 'a')]],
    ['a hard link written as climbing nowhere', [dir('d'), file('d/a'), hard('./d//b', './d/./a')]],
    [
      'a hard link through a merged directory',
      [dir('usr'), link('lib', 'usr'), file('lib/a'), hard('b', 'usr/a')],
    ],
    ['names with dots', [file('..a'), file('a..'), file('...'), dir('.../x')]],
    ['a link that a directory replaces', [link('d', '/etc'), dir('d/'), file('d/x')]],
    ['a file over a link that leads out', [link('a', '/etc/passwd'), file('a')]],
    ['a dangling link', [link('a', 'nowhere')]],
    ['an own lost+found', [dir('./lost+found/')]],
    ['contiguous files', [odd('C')]],
  ])('is accepted: %s', (_, members) => {
    expect(() => placesOf(members)).not.toThrow();
  });
});

describe('an archive that leads out of its root', () => {
  it.each<[string, readonly Member[], RegExp]>([
    ['an absolute member', [file('/etc/passwd')], /"\/etc\/passwd" has an absolute path/],
    ['a member that climbs', [file('a/../../b')], /leads out/],
    ['a member that is ..', [dir('..')], /leads out/],
    [
      'through an absolute link',
      [link('d', '/etc'), file('d/x')],
      /through the symbolic link "d" to "\/etc"/,
    ],
    ['through a climbing link', [link('d', '../..'), file('d/x')], /through the symbolic link "d"/],
    [
      'through a link that climbs but stays inside',
      [dir('a'), link('a/up', '..'), file('a/up/x')],
      /may lead out/,
    ],
    [
      'through two links',
      [link('a', '/etc'), link('b', './a'), file('b/x')],
      /through the symbolic link "a"/,
    ],
    [
      'through a link in a linked directory',
      [dir('u'), link('u/x', '/etc'), link('l', 'u'), file('l/x/y')],
      /"u\/x"/,
    ],
    [
      'through a link that came by a linked directory',
      [dir('u'), link('l', 'u'), link('l/x', '/'), file('u/x/y')],
      /"u\/x"/,
    ],
    [
      'through a hard link to a link',
      [link('a', '/etc'), hard('h', 'a'), file('h/x')],
      /through the symbolic link "h"/,
    ],
    [
      'through a link written another way',
      [link('./d', '/etc'), file('.//d/./x')],
      /through the symbolic link "d"/,
    ],
    ['a directory below such a link', [link('d', '/etc'), dir('d/x/')], /through the symbolic link "d"/],
    ['links in a circle', [link('a', 'b'), link('b', 'a'), file('a/x')], /through the symbolic link/],
    ['an absolute hard link', [hard('h', '/etc/shadow')], /has an absolute path/],
    ['a climbing hard link', [hard('h', '../etc/shadow')], /leads out/],
    [
      'a hard link through a link',
      [link('d', '/etc'), hard('h', 'd/shadow')],
      /through the symbolic link "d"/,
    ],
    ['a hard link to nothing', [hard('h', 'a')], /is not a file earlier in the archive/],
    ['a hard link to a directory', [dir('a'), hard('h', 'a')], /is not a file earlier in the archive/],
    ['a file in the place of the root', [file('./')], /would replace the root/],
    ['a link in the place of the root', [link('.', '/etc')], /would replace the root/],
    ['no name', [file('')], /has no name/],
    ['a file in lost+found', [file('./lost+found/x')], /lost\+found/],
    ['a link as lost+found', [link('lost+found', 'etc')], /lost\+found/],
    ['a volume label', [odd('V')], /type "V"/],
    ['an unknown type', [odd('?')], /type "\?"/],
  ])('is refused: %s', (_, members, sentence) => {
    const check = () => placesOf(members);
    expect(check).toThrow(UsageError);
    expect(check).toThrow(sentence);
  });
});
