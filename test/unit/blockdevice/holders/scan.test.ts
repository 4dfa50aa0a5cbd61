import { describe, expect, test } from 'vitest';
import { processUses } from '../../../../src/blockdevice/holders/scan.ts';
import { ParseError } from '../../../../src/core/errors.ts';
import { recorded } from '../fixtures.ts';

// Recorded in a process namespace of its own, where 8 worked in a mounted filesystem (7:4), 9 had a file of it open, 11
// had mapped one, 12 had the device itself open, 13 was in another mount namespace, and 14 was not root.
const root = recorded('find/process-uses@4.9.0');
const notRoot = recorded('find/process-uses-not-root@4.9.0');
const scan = (answer: { readonly stdout: string; readonly stderr: string }) =>
  processUses(['7:4']).parse({ exitCode: 1, ...answer });

describe('processUses', () => {
  test('asks about all processes with one program, and accepts exit code 1', () => {
    const { tool, argv, accepts } = processUses(['7:4']);

    expect([tool, ...argv]).toEqual(root.argv);
    expect(accepts).toEqual([0, 1]);
  });

  test('looks for mapped files by device as /proc/PID/maps shows it', () => {
    expect(processUses(['7:4', '253:300']).argv).toContain(
      '^[0-9a-f]+-[0-9a-f]+ .... [0-9a-f]+ (07:04|fd:12c) [0-9]+',
    );
  });

  test('reports processes with a file of a filesystem open or mapped, or with their working directory in it', () => {
    const { uses } = scan(root);

    const of = uses.filter(({ device }) => device === '7:4').map(({ pid, how }) => `${pid} ${how}`);
    expect([...new Set(of)].sort()).toEqual(['11 map', '8 cwd', '9 fd 3']);
  });

  test('reports processes with the device open, and not other files of that number', () => {
    const character = root.stdout.replace(' 6180 7:4', ' 2180 7:4');

    expect(scan(root).uses.filter(({ node }) => node === '7:4')).toMatchObject([{ pid: 12, how: 'fd 3' }]);
    expect(scan({ ...root, stdout: character }).uses.filter(({ node }) => node === '7:4')).toEqual([]);
  });

  test('reports the mount namespaces', () => {
    const spaces = scan(root).uses.filter(({ how }) => how === 'ns/mnt');

    expect(spaces.find(({ pid }) => pid === 13)?.inode).not.toBe(spaces.find(({ pid }) => pid === 8)?.inode);
  });

  test('leaves out processes that ended, and names those that were denied', () => {
    expect(scan(root)).toMatchObject({ unseen: new Set(), hidden: false });
    expect([...scan(notRoot).unseen]).toEqual(expect.arrayContaining([1, 8, 9, 11, 12, 13]));
    expect(scan(notRoot).unseen.has(14)).toBe(false);
  });

  test('notices that processes are hidden where process 1 is not listed', () => {
    const without = (text: string): string =>
      text
        .split('\n')
        .filter((line) => !line.includes('/proc/1/'))
        .join('\n');

    expect(scan(notRoot).hidden).toBe(false);
    expect(scan({ stdout: without(notRoot.stdout), stderr: without(notRoot.stderr) }).hidden).toBe(true);
  });

  test('reports an unreadable file as unseen, whatever the reason', () => {
    const stale = "stat: cannot statx '/proc/9/fd/3': Stale file handle\n";

    expect([...scan({ stdout: root.stdout, stderr: stale }).unseen]).toEqual([9]);
  });

  test.each([
    ['a line cut off', { stdout: `${root.stdout}/proc/9/fd/4 65`, stderr: '' }],
    ['a word in place of a number', { stdout: root.stdout.replace(' 6180 7:4', ' block 7:4'), stderr: '' }],
    ['another complaint', { stdout: root.stdout, stderr: "find: unknown predicate `-path'\n" }],
    ['a missing stat', { stdout: root.stdout, stderr: "find: 'stat': No such file or directory\n" }],
  ])('refuses %s', (_, answer) => {
    expect(() => scan(answer)).toThrow(ParseError);
  });
});
