import { describe, expect, it } from 'vitest';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { MountPool, type Mounter } from '../../../src/mount/index.ts';

/** A mounter that keeps what it has mounted in a map. */
function inMemory(foreign: readonly string[] = []) {
  const mounted = new Map<string, string>();
  const mounter: Mounter = {
    run: async (request, body) => {
      if (request.device === '/dev/broken') throw new Error('mount failed');
      mounted.set(request.path, `${request.device} ${request.mode}`);
      try {
        return await body(request.path);
      } finally {
        if (request.device !== '/dev/sticky') mounted.delete(request.path);
        else await Promise.reject(new Error('busy'));
      }
    },
    isMountpoint: async (path) => foreign.includes(path) || mounted.has(path),
  };
  return { mounted, mounter };
}

const forEver = () => new Promise<never>(() => undefined);

describe('a mount pool', () => {
  it('mounts while the body runs, and returns its value', async () => {
    const { mounted, mounter } = inMemory();
    const pool = new MountPool(['/media/tmp'], mounter);
    const value = await pool.with('/dev/sda1', async (path) => [path, mounted.get(path)]);
    expect(value).toEqual(['/media/tmp', '/dev/sda1 rw']);
    expect(mounted.size).toBe(0);
  });

  it('mounts with the given options', async () => {
    const { mounted, mounter } = inMemory();
    const pool = new MountPool(['/media/tmp'], mounter);
    await pool.with({ device: '/dev/sda1', mode: 'ro' }, async (path) => {
      expect(mounted.get(path)).toBe('/dev/sda1 ro');
    });
  });

  it('gives different directories to two callers', async () => {
    const { mounted, mounter } = inMemory();
    const pool = new MountPool(['/media/tmp', '/media/tmp2'], mounter);
    const both = await Promise.all([pool.mount('/dev/sda1'), pool.mount('/dev/sdb1')]);
    expect(both.map(({ path }) => path).sort()).toEqual(['/media/tmp', '/media/tmp2']);
    expect(mounted.size).toBe(2);
  });

  it('refuses when all are in use, and names them', async () => {
    const pool = new MountPool(['/media/tmp', '/media/tmp2'], inMemory(['/media/tmp2']).mounter);
    void pool.with('/dev/sda1', forEver);
    const refusal = pool.with('/dev/sdb1', forEver);
    await expect(refusal).rejects.toThrow(RefusedError);
    await expect(refusal).rejects.toThrow(
      /\/media\/tmp \(in use by this pool\), \/media\/tmp2 \(another process/,
    );
  });

  it.each([
    ['the body throws', '/dev/sda1'],
    ['the mount fails', '/dev/broken'],
    ['the unmount fails', '/dev/sticky'],
  ])('gives a directory out again after %s', async (_, device) => {
    const { mounted, mounter } = inMemory();
    const pool = new MountPool(['/media/tmp'], mounter);
    const failing = pool.with(device, () => Promise.reject(new Error('body failed')));
    await expect(failing).rejects.toThrow();
    mounted.clear();
    expect(await pool.with('/dev/sda1', async (path) => path)).toBe('/media/tmp');
  });

  it('gives a directory out again when reading its mounts failed', async () => {
    const { mounter } = inMemory();
    let answers = 0;
    const isMountpoint = async () => {
      answers += 1;
      if (answers === 1) throw new Error('unreadable');
      return false;
    };
    const pool = new MountPool(['/media/tmp'], { ...mounter, isMountpoint });
    await expect(pool.mount('/dev/sda1')).rejects.toThrow('unreadable');
    expect((await pool.mount('/dev/sda1')).path).toBe('/media/tmp');
  });

  it('unmounts at a release, and a second release waits for the same', async () => {
    const { mounted, mounter } = inMemory();
    const pool = new MountPool(['/media/tmp'], mounter);
    const held = await pool.mount('/dev/sda1');
    expect(mounted.has(held.path)).toBe(true);
    await Promise.all([held.release(), held.release()]);
    expect(mounted.size).toBe(0);
    expect(await pool.with('/dev/sdb1', async (path) => path)).toBe('/media/tmp');
  });

  it('unmounts at the end of an "await using" block', async () => {
    const { mounted, mounter } = inMemory();
    const held = await new MountPool(['/media/tmp'], mounter).mount('/dev/sda1');
    await held[Symbol.asyncDispose]();
    expect(mounted.size).toBe(0);
  });

  it('reports a failed unmount to the caller that releases', async () => {
    const held = await new MountPool(['/media/tmp'], inMemory().mounter).mount('/dev/sticky');
    await expect(held.release()).rejects.toThrow('busy');
  });

  it('reports a failed mount to the caller', async () => {
    const pool = new MountPool(['/media/tmp'], inMemory().mounter);
    await expect(pool.mount('/dev/broken')).rejects.toThrow('mount failed');
  });

  it.each([[[]], [['media/tmp']], [['/a', '/b', '/a']]])('refuses %j', (paths) => {
    expect(() => new MountPool(paths, inMemory().mounter)).toThrow(UsageError);
  });
});
