import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type KeyInput, type KeyRef, Secret, secondKeyPath } from '../../../src/command/index.ts';
import type { LocalHostOptions } from '../../../src/host/local.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { changing, hostWith, program, reading, temporaryDirectory } from './support.ts';

const of = (key: KeyRef, use: KeyInput['use'] = 'present'): KeyInput => ({ key, use, of: '/dev/x' });

/** What a program reads of a key, with the length that shows a newline too many. */
async function read(key: KeyInput, options: LocalHostOptions = {}): Promise<string> {
  const { host } = hostWith('cat', options);
  return (await host.run(reading([], { stdin: key }))).stdout;
}

describe('a key', () => {
  test('from a file is every byte of it, the newline at its end too', async () => {
    const path = join(temporaryDirectory(), 'key');
    writeFileSync(path, 'a\nkey\n');

    expect(await read(of({ from: 'file', path }))).toBe('a\nkey\n');
  });

  test('is refused if another user can replace or write its file, also behind a symbolic link', async () => {
    const directory = temporaryDirectory();
    const [open, key, link] = ['open', 'open/key', 'link'].map((name) => join(directory, name));
    mkdirSync(open ?? '');
    writeFileSync(key ?? '', 'geheim', { mode: 0o600 });
    symlinkSync(open ?? '', link ?? '');
    const through = of({ from: 'file', path: join(link ?? '', 'key') });
    expect(await read(through)).toBe('geheim');

    chmodSync(open ?? '', 0o777);
    expect(String(await rejectionOf(read(through)))).toContain('open can be written by others (mode 777)');
    chmodSync(open ?? '', 0o755);
    chmodSync(key ?? '', 0o622);
    expect(String(await rejectionOf(read(through)))).toContain('key can be written by others (mode 622)');
    const command = of({ from: 'command', argv: [program(open ?? '', 'print', 'echo geheim'), 'x'] });
    chmodSync(join(open ?? '', 'print'), 0o777);
    expect(String(await rejectionOf(read(command)))).toContain('print can be written by others (mode 777)');
  });

  test.runIf(process.getuid?.() === 0)('is refused behind the link of another user in /tmp', async () => {
    const [shared, own] = [temporaryDirectory(), temporaryDirectory()];
    chmodSync(shared, 0o1777);
    writeFileSync(join(own, 'key'), 'geheim', { mode: 0o600 });
    symlinkSync(join(own, 'key'), join(shared, 'key'));
    const through = of({ from: 'file', path: join(shared, 'key') });
    expect(await read(through)).toBe('geheim');

    lchownSync(join(shared, 'key'), 65534, 65534);
    expect(String(await rejectionOf(read(through)))).toContain('key belongs to user 65534');
    chownSync(shared, 65534, 65534);
    expect(String(await rejectionOf(read(through)))).toContain(`${shared} belongs to user 65534`);
  });

  test('is read only by a process that leaves no core dump, and its program leaves none either', async () => {
    const path = join(temporaryDirectory(), 'key');
    writeFileSync(path, 'geheim', { mode: 0o600 });
    const { host, change } = hostWith('cat >/dev/null; grep "Max core" /proc/$$/limits /proc/$PPID/limits');
    const off = /Max core file size +[01] +[01] /;

    const stdin = of({ from: 'file', path });
    for (const { stdout } of [
      await host.run(reading([], { stdin })),
      await change.run(changing([], { stdin })),
    ])
      for (const line of stdout.trimEnd().split('\n')) expect(line).toMatch(off);
    expect(readFileSync('/proc/self/limits', 'utf8')).toMatch(off);
  });

  test('from a command is its output without one newline, and its failure does not contain it', async () => {
    const directory = temporaryDirectory();
    const good = program(directory, 'good', 'printf "%s\\n\\n" "$1"');
    const bad = program(directory, 'bad', 'echo geheim; echo geheim >&2; exit 3');

    expect(await read(of({ from: 'command', argv: [good, 'geheim'] }))).toBe('geheim\n');
    const error = await rejectionOf(read(of({ from: 'command', argv: [bad, 'geheim'] })));
    expect(String(error)).toContain('exit 3');
    expect(JSON.stringify(error) + String(error)).not.toContain('geheim');
  });

  test("from a credential is read from systemd's directory for it", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'web1'), 'credential');
    const before = process.env['CREDENTIALS_DIRECTORY'];
    onTestFinished(() => {
      if (before === undefined) delete process.env['CREDENTIALS_DIRECTORY'];
      else process.env['CREDENTIALS_DIRECTORY'] = before;
    });

    delete process.env['CREDENTIALS_DIRECTORY'];
    expect(await rejectionOf(read(of({ from: 'credential', name: 'web1' })))).toBeInstanceOf(RefusedError);
    process.env['CREDENTIALS_DIRECTORY'] = directory;
    expect(await read(of({ from: 'credential', name: 'web1' }))).toBe('credential');
  });

  test('of the site is read from the source in the site file', async () => {
    const siteKeys = (): Record<string, KeyRef> => ({
      web: { from: 'site', name: 'real' },
      real: { from: 'ask' },
      loop: { from: 'site', name: 'loop' },
    });
    const askKey = async (): Promise<string> => 'typed';

    expect(await read(of({ from: 'site', name: 'web' }), { siteKeys, askKey })).toBe('typed');
    const refusal = (name: string): Promise<unknown> =>
      rejectionOf(read(of({ from: 'site', name }), { siteKeys, askKey }));
    for (const name of ['none', 'toString'])
      expect(await refusal(name)).toMatchObject({ message: `the site file has no key "${name}"` });
    const circle = await refusal('loop');
    expect(circle).toBeInstanceOf(UsageError);
    expect(circle).toMatchObject({
      message: 'the key "loop" of the site file refers to itself, or to more than 8 other keys',
      remedy: 'in keys of the site file, name the source of "loop" instead of another key: file:/PATH',
    });
  });

  test('is asked for once, and a new one twice', async () => {
    const asked: string[] = [];
    const askKey = async (question: string): Promise<string> => {
      asked.push(question);
      return 'typed';
    };
    const { host } = hostWith('cat', { askKey });
    const typed = async (use: KeyInput['use']) =>
      (await host.run(reading([], { stdin: of({ from: 'ask' }, use) }))).stdout;

    expect([await typed('present'), await typed('present'), await typed('new')]).toEqual([
      'typed',
      'typed',
      'typed',
    ]);
    expect(asked).toEqual(['Key of /dev/x: ', 'New key of /dev/x: ', 'New key of /dev/x, once more: ']);
  });

  test('is refused when the two answers differ, or there is no terminal', async () => {
    let typed = 0;
    const askKey = async (): Promise<string> => String((typed += 1));

    expect(String(await rejectionOf(read(of({ from: 'ask' }, 'new'), { askKey })))).toContain(
      'the two keys that were typed differ',
    );
    expect(await rejectionOf(read(of({ from: 'ask' })))).toBeInstanceOf(RefusedError);
  });

  test('is asked for again after a typo', async () => {
    const typed = ['one', 'other', 'same', 'same'];
    const askKey = async (): Promise<string> => typed.shift() ?? '';
    const { host } = hostWith('cat', { askKey });
    const again = async () => (await host.run(reading([], { stdin: of({ from: 'ask' }, 'new') }))).stdout;

    expect(String(await rejectionOf(again()))).toContain('the two keys that were typed differ');
    expect(await again()).toBe('same');
  });

  test('is asked for in one question at a time for all hosts, with its repetition right after', async () => {
    const asked: string[] = [];
    const waiting: (() => void)[] = [];
    const askKey = (question: string): Promise<string> => {
      asked.push(question);
      return new Promise((resolve) => waiting.push(() => resolve(question.includes('/dev/x') ? 'x' : 'y')));
    };
    const keyOf = async (device: string) => {
      const { host } = hostWith('cat', { askKey });
      return (await host.run(reading([], { stdin: { key: { from: 'ask' }, use: 'new', of: device } })))
        .stdout;
    };
    const both = Promise.all([keyOf('/dev/x'), keyOf('/dev/y')]);

    for (const count of [1, 2, 3, 4]) {
      await expect.poll(() => waiting.length).toBe(count);
      waiting[count - 1]?.();
    }

    expect(await both).toEqual(['x', 'y']);
    // Either may be the first.
    const devices = asked[0]?.includes('/dev/x') === true ? ['/dev/x', '/dev/y'] : ['/dev/y', '/dev/x'];
    expect(asked).toEqual(
      devices.flatMap((device) => [`New key of ${device}: `, `New key of ${device}, once more: `]),
    );
  });

  test('is refused when empty, because cryptsetup would accept it', async () => {
    const path = join(temporaryDirectory(), 'key');
    writeFileSync(path, '');

    expect(String(await rejectionOf(read(of({ from: 'file', path }))))).toContain('is empty');
    expect(String(await rejectionOf(read(of({ from: 'ask' }), { askKey: async () => '' })))).toContain(
      'is empty',
    );
  });
});

describe('a change with two keys', () => {
  test('has both, each in its own descriptor and in no argument, and both complete before it starts', async () => {
    const { change } = hostWith(
      `cat; echo; cat ${secondKeyPath}; echo; cat /proc/$$/cmdline /proc/$$/environ`,
    );

    const { stdout } = await change.run(
      changing([], { stdin: new Secret('first'), secondKey: new Secret('second'.repeat(5000)) }),
    );

    expect(stdout.startsWith(`first\n${'second'.repeat(5000)}\n`)).toBe(true);
    expect(stdout.split('first')).toHaveLength(2);
    expect(stdout.split('second')).toHaveLength(5001);
  });

  test('does not inherit the lock, and a change with one key has no fourth descriptor', async () => {
    const { change } = hostWith('for fd in 3 4; do [ -e /proc/$$/fd/$fd ] && echo "has $fd"; done; true');

    const two = await change.run(changing([], { stdin: new Secret('a'), secondKey: new Secret('b') }));
    const one = await change.run(changing([], { stdin: new Secret('a') }));

    expect(two.stdout).toBe('has 4\n');
    expect(one.stdout).toBe('');
  });
});
