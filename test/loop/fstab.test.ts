import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../src/command/index.ts';
import { RolledBackError, UsageError } from '../../src/core/errors.ts';
import {
  addCrypttab,
  addFstab,
  changeCrypttab,
  changeFstab,
  removeCrypttab,
  removeFstab,
} from '../../src/mount/operations.ts';
import { mark, scratch, take } from '../unit/file/support.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let file: string;
let srv: string;
let device: string;

// Bytes that are no UTF-8, a line that findmnt has something against, an end that is missing.
const others = Buffer.from(
  '# of \xff others\n\n/dev/bofh-none\t/bofh-none  ext4 defaults 0 2\ntmpfs /tmp tmpfs size=1m',
  'latin1',
);

beforeEach(() => {
  disk = storage();
  step = scratch();
  ({ device } = disk.ext4('a.img'));
  srv = disk.makeDir('srv ü');
  file = disk.path('fstab');
  write(others);
});

afterEach(() => {
  disk.clean();
  step.remove();
});

function write(content: Buffer | string): void {
  writeFileSync(file, content);
  chmodSync(file, 0o640);
  chownSync(file, 7, 8);
}

const now = (): string => readFileSync(file, 'latin1');
const privates = (): readonly string[] =>
  readdirSync(dirname(file)).filter((name) => name.startsWith('.bofh-'));
const line = () => ({
  file,
  source: device,
  target: srv,
  type: 'ext4',
  options: ['nodev', 'noatime'],
  pass: 2,
});
const added = (): string => `${device} ${srv.replace(' ü', '\\040\xc3\xbc')} ext4 nodev,noatime 0 2`;

describe('an added line', () => {
  it('is the last one, keeps mode and owner of the file, and is undone without a trace', async () => {
    const taken = await take(addFstab, line(), step.host);
    expect(await taken.run()).toEqual({
      file,
      line: `${device} ${srv.replace(' ', '\\040')} ext4 nodev,noatime 0 2`,
    });
    expect(now()).toBe(`${others.toString('latin1')}\n${added()}\n`);
    expect(statSync(file)).toMatchObject({ uid: 7, gid: 8 });
    expect(statSync(file).mode & 0o7777).toBe(0o640);
    expect(privates()).toEqual([]);
    expect(await taken.look()).toEqual({ state: 'ours' });

    await taken.goBack('without result');
    expect(now()).toBe(others.toString('latin1'));
    expect(statSync(file).mode & 0o7777).toBe(0o640);
    expect(await taken.look()).toEqual({ state: 'gone' });
    await taken.goBack();
    expect(now()).toBe(others.toString('latin1'));
  });

  it('keeps extended attributes', async () => {
    const python = [
      'python3',
      '-c',
      'import os,sys; os.setxattr(sys.argv[1], "user.bofh", b"kept")',
      file,
    ] as const;
    sh(...python);
    const taken = await take(addFstab, line(), step.host);
    await taken.run();
    expect(
      sh('python3', '-c', 'import os,sys; print(os.getxattr(sys.argv[1], "user.bofh"))', file),
    ).toContain('kept');
  });

  it('is removed alone when others edited the rest', async () => {
    const taken = await take(addFstab, line(), step.host);
    await taken.run();
    writeFileSync(file, `# new\n${now()}/dev/x /x ext4\n`, 'latin1');
    expect(await taken.look()).toEqual({ state: 'ours' });
    await taken.goBack();
    expect(now()).toBe(`# new\n${others.toString('latin1')}\n/dev/x /x ext4\n`);
  });

  it('is left untouched when others edited it', async () => {
    const taken = await take(addFstab, line(), step.host);
    await taken.run();
    const edited = now().replace('nodev,noatime', 'nodev');
    writeFileSync(file, edited, 'latin1');
    expect(await taken.look()).toMatchObject({ state: 'not-ours' });
    await taken.goBack();
    expect(now()).toBe(edited);
  });

  it('does not overwrite a concurrent change', async () => {
    const taken = await take(addFstab, line(), step.host);
    writeFileSync(file, '# another\n');
    await expect(taken.run()).rejects.toThrow('edited concurrently');
    expect(now()).toBe('# another\n');
    expect(await taken.look('without result')).toEqual({ state: 'gone' });
  });

  it('does not overwrite a change that others make while findmnt checks the new table', async () => {
    const taken = await take(addFstab, line(), step.host);
    const during = {
      ...step.host,
      run: async <T>(command: Command<T>): Promise<T> => {
        const answer = await step.host.run(command);
        if (command.argv.some((word) => word.includes('.bofh-')) && command.tool === 'findmnt')
          writeFileSync(file, '# another\n');
        return answer;
      },
    };
    await expect(taken.run(during)).rejects.toThrow('edited concurrently');
    expect(now()).toBe('# another\n');
    await taken.goBack('without result');
    expect(now()).toBe('# another\n');
    expect(privates()).toEqual([]);
  });

  it('leaves nothing behind when it is killed before the rename', async () => {
    const taken = await take(addFstab, line(), step.host);
    const killed = { ...step.host, rename: () => Promise.reject(new Error('killed')) };
    await expect(taken.run(killed)).rejects.toThrow('killed');
    expect(privates()).toEqual([`.bofh-${mark}`]);
    expect(await taken.look('without result')).toEqual({ state: 'ours' });
    await taken.goBack('without result');
    expect(privates()).toEqual([]);
    expect(now()).toBe(others.toString('latin1'));
  });

  it('follows a symbolic link to the file, and keeps the link', async () => {
    const link = disk.path('link');
    symlinkSync('fstab', link);
    const taken = await take(addFstab, { ...line(), file: link }, step.host);
    await taken.run();
    expect(readlinkSync(link)).toBe('fstab');
    expect(now()).toContain(added());
    await taken.goBack();
    expect(now()).toBe(others.toString('latin1'));
  });

  it('comes before the line of a mount point below its own', async () => {
    mkdirSync(`${srv}/deep`);
    write(`${device} ${srv.replace(' ', '\\040')}/deep ext4 nofail 0 0\n`);
    const taken = await take(addFstab, line(), step.host);
    await taken.run();
    expect(now().split('\n')[0]).toBe(added());
  });

  it.each([
    [
      'a directory that is missing',
      () => ({ target: `${srv}/none` }),
      /none: unreachable on boot required target/,
    ],
    [
      'a device that is missing',
      () => ({ source: '/dev/bofh-none-2' }),
      /unreachable source: \/dev\/bofh-none-2/,
    ],
    ['another filesystem', () => ({ type: 'xfs' }), /xfs does not match with on-disk ext4/],
  ])('is refused for %s, which findmnt reports before the file is replaced', async (_, wrong, why) => {
    const failure = sequence(testEngine(disk.path('state')), (tx) =>
      tx.step(addFstab, { ...line(), ...wrong() }),
    );
    await expect(failure).rejects.toThrow(RolledBackError);
    await expect(failure).rejects.toThrow(why);
    expect(now()).toBe(others.toString('latin1'));
    expect(privates()).toEqual([]);
  });

  it.each([
    ['a mount point', '/bofh/none', 'ext4', /^create the mount point and attach the device first/],
    ['swap', 'none', 'swap', /^attach the device first/],
  ])('for a missing device names what to do first: %s', async (_, target, type, remedy) => {
    const failure = sequence(testEngine(disk.path('state')), (tx) =>
      tx.step(addFstab, { file, source: '/dev/bofh-missing', target, type }),
    );
    await expect(failure).rejects.toMatchObject({
      cause: { remedy: expect.stringMatching(remedy) as string },
    });
  });

  it('may name a missing device with nofail, and any device in the fstab of another system', async () => {
    const missing = { ...line(), source: 'UUID=5e1f0000-0000-4000-8000-0000000000ff' };
    await (await take(addFstab, { ...missing, options: ['nofail'] }, step.host)).run();
    expect(now()).toContain('UUID=5e1f0000-0000-4000-8000-0000000000ff');
    write(others);
    await (await take(addFstab, { ...missing, target: '/bofh/none', verify: 'syntax' }, step.host)).run();
    expect(now()).toContain(' /bofh/none ext4');
  });

  it('is refused for a duplicate, a password, and a line that cannot be parsed', async () => {
    const at = (more: object) => take(addFstab, { ...line(), ...more }, step.host);
    await expect(at({ target: '/tmp/' })).rejects.toThrow('has a line for /tmp already: line 4');
    await expect(at({ options: ['password=geheim'] })).rejects.toThrow(UsageError);
    write('only two\n');
    await expect(at({})).resolves.toBeDefined();
    write(Buffer.from(`only ${added().split(' ')[1] ?? ''}\n`, 'latin1'));
    await expect(at({})).rejects.toThrow('line 1 could not be parsed');
    linkSync(file, disk.path('second'));
    await expect(at({})).rejects.toThrow('has another hard link');
  });
});

describe('a removed or changed line', () => {
  it('is restored in its place, byte for byte', async () => {
    const whole = `# a\n${added()} \t# of ours\n\t/dev/b  none swap sw 0 0\n# b`;
    write(Buffer.from(whole, 'latin1'));
    for (const [code, args, then] of [
      [removeFstab, { file, of: srv }, '# a\n\t/dev/b  none swap sw 0 0\n# b'],
      [removeFstab, { file, of: '/dev/b' }, `# a\n${added()} \t# of ours\n# b`],
    ] as const) {
      const taken = await take(code, args, step.host);
      await taken.run();
      expect(now()).toBe(then);
      await taken.goBack('without result');
      expect(now()).toBe(whole);
    }
    const taken = await take(changeFstab, { file, of: srv, to: { options: ['ro'], pass: 0 } }, step.host);
    await taken.run();
    expect(now().split('\n')[1]).toBe(`${added().replace('nodev,noatime 0 2', 'ro 0 0')} \t# of ours`);
    writeFileSync(file, `# between\n${now()}`, 'latin1');
    await taken.goBack();
    expect(now()).toBe(`# between\n${whole}`);
  });

  it('is refused when missing, ambiguous, with a password or with odd bytes', async () => {
    write(
      Buffer.from(
        '/dev/a /a ext4\n/dev/b /a ext4\n//s/x /cifs cifs password=geheim\n/dev/c /c ext4 x=\xff\n/dev/d / ext4\n',
        'latin1',
      ),
    );
    const of = (place: string) => take(removeFstab, { file, of: place }, step.host);
    await expect(of('/none')).rejects.toThrow('has no line for /none');
    await expect(of('/a')).rejects.toThrow('more than one line for /a: 1, 2');
    await expect(of('/cifs')).rejects.toThrow('line 3 of');
    await expect(of('/cifs')).rejects.not.toThrow('geheim');
    await expect(of('/c')).rejects.toThrow('not UTF-8');
    await expect(of('/')).rejects.toThrow('the line of the root filesystem cannot be removed');
  });

  it('is not restored when others removed it first', async () => {
    write(`/dev/a ${srv.replace(' ', '\\040')} ext4 defaults 0 0\n# kept\n`);
    const taken = await take(removeFstab, { file, of: srv }, step.host);
    const killed = { ...step.host, rename: () => Promise.reject(new Error('killed')) };
    await expect(taken.run(killed)).rejects.toThrow('killed');
    write('# of others\n# kept\n');
    await taken.goBack('without result');
    expect(now()).toBe('# of others\n# kept\n');
    expect(privates()).toEqual([]);
  });

  it('is left untouched when others edited it later', async () => {
    write(`/dev/a ${srv.replace(' ', '\\040')} ext4 defaults 0 0\n`);
    const taken = await take(removeFstab, { file, of: srv }, step.host);
    await taken.run();
    write(`/dev/b ${srv.replace(' ', '\\040')} xfs defaults 0 0\n`);
    expect(await taken.look()).toMatchObject({ state: 'not-ours' });
    await taken.goBack();
    expect(now()).toContain('/dev/b');
  });
});

describe('a crypttab', () => {
  it('is created for its first line, and removed with it', async () => {
    const table = disk.path('crypttab');
    const key = disk.path('key');
    writeFileSync(key, 'x', { mode: 0o600 });
    const taken = await take(addCrypttab, { file: table, name: 'web1', device, key }, step.host);
    await taken.run();
    expect(readFileSync(table, 'utf8')).toBe(`web1 ${device} ${key}\n`);
    expect(privates()).toEqual([]);
    await taken.goBack('without result');
    expect(existsSync(table)).toBe(false);
    expect(await taken.look()).toEqual({ state: 'gone' });
  });

  it('of others that appears meanwhile is left untouched', async () => {
    const table = disk.path('crypttab');
    const taken = await take(addCrypttab, { file: table, name: 'web1', device, key: 'none' }, step.host);
    writeFileSync(table, '# of others\n');
    await expect(taken.run()).rejects.toThrow(/edited (?:concurrently|by another process)/);
    await taken.goBack('without result');
    expect(readFileSync(table, 'utf8')).toBe('# of others\n');
  });

  it('has lines that are changed and removed, and restored', async () => {
    write('a UUID=1 none nofail\n# c\nb UUID=2 none');
    const before = now();
    const changed = await take(
      changeCrypttab,
      { file, name: 'b', to: { name: 'c', options: ['nofail'] } },
      step.host,
    );
    await changed.run();
    expect(now()).toBe('a UUID=1 none nofail\n# c\nc UUID=2 none nofail');
    const removed = await take(removeCrypttab, { file, name: 'a' }, step.host, 'bofh.0123456789ab.2');
    await removed.run();
    expect(now()).toBe('# c\nc UUID=2 none nofail');
    await removed.goBack();
    await changed.goBack();
    expect(now()).toBe(before);
  });

  it('refuses a missing device or key file, a key file that others can read, and a key itself', async () => {
    const key = disk.path('key');
    writeFileSync(key, 'x', { mode: 0o644 });
    const at = (more: object) =>
      take(
        addCrypttab,
        { file: disk.path('crypttab'), name: 'web1', device, key: 'none', ...more },
        step.host,
      );
    await expect(at({ device: '/dev/bofh-none' })).rejects.toThrow('there is no device /dev/bofh-none');
    await expect(at({ key: disk.path('no-key') })).rejects.toThrow('there is no key file');
    await expect(at({ key })).rejects.toThrow('can be read by others (mode 644)');
    await expect(at({ key: 'geheim' })).rejects.toThrow(UsageError);
    await expect(at({ name: 'a b' })).rejects.toThrow(UsageError);
  });
});
